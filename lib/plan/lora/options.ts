/** What a LoRA adapter is to be, as it is given. */
export interface LoraOptions {
  /** The rank; 8 by default. */
  readonly r?: number | undefined;
  /** PEFT's `lora_alpha`: what the adapter adds is scaled by alpha / r; 8 by default. */
  readonly alpha?: number | undefined;
  /** PEFT's `target_modules`: 'all-linear', another string for a regular expression that a module's whole name matches, or an array of the ends of names. */
  readonly targets: string | readonly string[];
  /** Of `lora_A`: 'kaiming_uniform', U(±1/√inputs), PEFT's default; or 'gaussian', N(0, 1/r²). */
  readonly init?: 'kaiming_uniform' | 'gaussian' | undefined;
  /** The standard deviation of `lora_B`. 0 by default: a new adapter changes nothing. */
  readonly b?: number | undefined;
  /** What adapter_config.json says as `base_model_name_or_path`. */
  readonly base?: string | undefined;
}

import type { Dtype } from '../../core/dtype.js';
import type { Draw } from '../../init/draw.js';
import type { Initializer } from '../../init/initializers.js';
import type { Flat } from '../../nn/flatten.js';
import type { Plan, PlannedTensor } from '../plan.js';
import type { Lora } from './schema.js';
import { type LinearModule, type LoraBase, targetNames, targetsIn } from './targets.js';

/** What `nn.Linear` draws for its weight, and PEFT for A. */
const kaiming: Initializer = { init: 'kaiming_uniform', a: Math.sqrt(5) };

/** Families whose experts PEFT takes some names of targets for, since they had those names in transformers 4. */
const expertsFirst = /^(DeepseekV[23]|Glm4Moe|Olmoe|Qwen3Moe|Qwen3Next)[FM]/;
const expertsNames = /\.(gate_proj|up_proj|down_proj)$/;

/** Families for which PEFT refuses adapters of the modules in `notLoaded`: its check is by the config's `model_type`, of the model and not of its parts. */
const stateSpaces = /^(Mamba2?|NemotronH)(ForCausalLM|Model)$/;
const notLoaded = /(^|\.)out_proj$/;

/** What PEFT would refuse to load. */
function refused(modelClass: string, chosen: readonly LinearModule[], source: string): readonly string[] {
  const first = stateSpaces.test(modelClass) ? chosen.find(({ name }) => notLoaded.test(name)) : undefined;
  if (first === undefined) return [];
  return [
    `${source}: lora.targets: PEFT 0.21 loads no adapter of a ${modelClass} that has out_proj among its targets, as ${first.name}: name the others`,
  ];
}

/** What PEFT, on transformers 5, would pass over without a word, or load nothing for: it joins experts' gate_proj and up_proj, and wants both. */
function passedOver(modelClass: string, chosen: readonly LinearModule[], source: string): readonly string[] {
  const [first, ...more] = expertsFirst.test(modelClass) ? chosen.filter(({ name }) => expertsNames.test(name)) : [];
  if (first === undefined) return [];
  const others = more.length === 0 ? '' : ` and ${more.length} more`;
  const [hasGate, hasUp] = ['.gate_proj', '.up_proj'].map((end) => chosen.some(({ name }) => name.endsWith(end)));
  const what =
    hasGate === hasUp
      ? `does not load what the adapter has for ${first.name}${others}`
      : `loads no adapter that has one of gate_proj and up_proj without the other, as for ${first.name}`;
  return [
    `${source}: lora.targets: PEFT 0.21 takes gate_proj, up_proj and down_proj of a ${modelClass} for its experts, and ${what}`,
  ];
}

/**
 * The plan of a LoRA adapter as PEFT saves it: A and B of each module, and adapter_config.json.
 *
 * @param source the file with the key `lora`, for messages
 * @throws InputError for targets that match nothing, or a module that is not linear
 */
export function planOfLora(base: LoraBase, lora: Lora, dtype: Dtype, source: string): Plan {
  const { flat, modelClass } = base;
  const chosen = targetsIn(base, lora.targets, source);
  const pairs = chosen.map((module) => pairOf(module, lora, dtype));
  return {
    tensors: pairs.flatMap(({ tensors }) => tensors),
    draws: pairs.flatMap(({ draws }) => draws),
    config: `${JSON.stringify(configOf(lora, targetNames(chosen, flat), taskOf(modelClass, flat), chosen), null, 2)}\n`,
    adapter: true,
    warnings: [...passedOver(modelClass, chosen, source), ...refused(modelClass, chosen, source)],
  };
}

/** The tensors of one module, and the draws of PEFT's code: those of two linear layers, then A's and B's own. */
function pairOf({ name, inputs, outputs }: LinearModule, { r, init, b }: Lora, dtype: Dtype) {
  const initialA: Initializer = init === 'gaussian' ? { init: 'normal', std: 1 / r } : kaiming;
  const initialB: Initializer = b === 0 ? 'zeros' : { init: 'normal', std: b };
  const named = (matrix: 'A' | 'B') => `base_model.model.${name}.lora_${matrix}.weight`;
  const A: PlannedTensor = { name: named('A'), shape: [r, inputs], dtype, initializer: initialA };
  const B: PlannedTensor = { name: named('B'), shape: [outputs, r], dtype, initializer: initialB };
  const draw = ({ name: tensor, shape }: PlannedTensor, initializer: Initializer): Draw => {
    return { tensor, shape, initializer };
  };
  const draws = [draw(A, kaiming), draw(B, kaiming), draw(A, initialA), ...(b === 0 ? [] : [draw(B, initialB)])];
  return { tensors: [A, B], draws };
}

/** adapter_config.json, in PEFT's order: the keys that every version of PEFT and its readers know. */
function configOf(
  { r, alpha, init, base }: Lora,
  targets: string[],
  task: string | null,
  chosen: readonly LinearModule[],
) {
  return {
    alpha_pattern: {},
    base_model_name_or_path: base ?? null,
    bias: 'none',
    fan_in_fan_out: chosen.some(({ transposed }) => transposed),
    inference_mode: true,
    init_lora_weights: init === 'gaussian' ? 'gaussian' : true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r,
    rank_pattern: {},
    revision: null,
    target_modules: targets,
    task_type: task,
    use_dora: false,
    use_rslora: false,
  };
}

/**
 * Null for classifiers: PEFT's tasks for them save the classifier in the adapter too. What is generated under a condition is of sequences to sequences only
 * where the model has an encoder and a decoder: those of images and text are decoders.
 */
function taskOf(modelClass: string, { tensors }: Flat): string | null {
  if (/(ForCausalLM|LMHeadModel)$/.test(modelClass)) return 'CAUSAL_LM';
  if (!/ForConditionalGeneration$|^MarianMTModel$/.test(modelClass)) return null;
  return tensors.some(({ name }) => /^(model\.)?decoder\./.test(name)) ? 'SEQ_2_SEQ_LM' : 'CAUSAL_LM';
}

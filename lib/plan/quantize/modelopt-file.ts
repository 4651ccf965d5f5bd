import { isPlainObject, show } from '../../core/check.js';
import { InputError } from '../../core/errors.js';

/**
 * The quantization_config that ModelOpt's file beside a config.json stands for; undefined where it quantizes no weights, only the cache of keys and
 * values.
 *
 * @param path of hf_quant_config.json, for messages
 * @throws InputError where it has no `quantization`
 */
export function settingsIn(file: unknown, path: string): Readonly<Record<string, unknown>> | undefined {
  const { quantization, producer } = isPlainObject(file) ? file : {};
  if (!isPlainObject(quantization)) {
    throw new InputError(`${path}: quantization: expected an object, but received ${show(quantization)}`, { path });
  }
  const { exclude_modules: ignore = [], ...others } = quantization;
  if (others.quant_algo == null) return undefined;
  return { quant_method: 'modelopt', ...others, ignore, ...(producer !== undefined && { producer }) };
}

import { z } from 'zod';
import { quoted, show } from '../../core/check.js';
import { container, type Module } from '../module.js';
import { linear } from '../modules/index.js';
import { defineArchitecture, type Parts } from './architecture.js';
import { encoderReaders } from './config-values.js';
import { bodyClass, wholeInit, widthOf } from './multimodal.js';

/** What transformers' AutoModelForCausalLM makes of a config. */
const causalClass = /(?:ForCausalLM|LMHeadModel)$/;

/** The first part's vectors, projected where the other is of another width and does not say that it takes them. */
function joined(config: Readonly<Record<string, unknown>>, parts: Parts): Module {
  const [encoder, decoder] = [parts.get('encoder'), parts.get('decoder')];
  const [inputs, width, taken] = [widthOf(encoder), widthOf(decoder), decoder.config.cross_attention_hidden_size];
  if (taken != null && taken !== inputs)
    throw new RangeError(
      `decoder: cross_attention_hidden_size: expected the encoder's width ${inputs}, but received ${show(taken)}`,
    );
  const children = {
    encoder: encoder.build(bodyClass),
    decoder: decoder.build(causalClass),
    ...(inputs !== width && taken == null && { enc_to_dec_proj: linear(inputs, width) }),
  };
  return container('Whole', children, { initialize: wholeInit(config, decoder) });
}

/** @param decoders the families of decoders that transformers takes; any unless given */
function family(model_type: string, name: string, decoders?: readonly string[]) {
  return defineArchitecture<Readonly<Record<string, unknown>>>({
    model_type,
    config: z.looseObject({}),
    parts: ({ encoder, decoder }) => ({ encoder, decoder }),
    classes: {
      [name](config, parts) {
        const { model_type: type } = parts.get('decoder');
        if (decoders?.includes(type) === false)
          throw new RangeError(
            `decoder: expected a model_type that reads an encoder's vectors, ${quoted(decoders)}, but received ${show(type)}`,
          );
        return joined(config, parts);
      },
    },
  });
}

/** A model of images that a decoder reads, by the configs of both. */
export const visionEncoderDecoder = family('vision-encoder-decoder', 'VisionEncoderDecoderModel');

/** A model of text that a decoder reads, by the configs of both. */
export const encoderDecoder = family('encoder-decoder', 'EncoderDecoderModel', encoderReaders);

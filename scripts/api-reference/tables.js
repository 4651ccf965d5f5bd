// init.*_ and layers.* are constants whose types are computed from tables. To a reader they are functions: this plugin of TypeDoc's gives each the
// arguments of its row, with types, ranges and defaults. Where the doc comment has an argument, its text stands in place of the table's.

import {
  Comment,
  CommentTag,
  Converter,
  DeclarationReflection,
  ParameterReflection,
  ReflectionFlag,
  ReflectionKind,
  ReflectionType,
  SignatureReflection,
  UnknownType,
} from 'typedoc';
import { initializers, layers } from '../../dist/lib/index.js';

const text = (words) => [{ kind: 'text', text: words }];
const types = { integer: 'number', sizes: 'number | number[]', layer: 'LayerDescription' };

function typeOf({ kind, words = [], nullable }) {
  const names = words.map((word) => `'${word}'`);
  const of = kind === 'word' ? names : [types[kind] ?? kind, ...names];
  return [...of, ...(nullable ? ['null'] : [])].join(' | ');
}

/** A range in words: 'an integer ≥ 0, or 2 of them'. */
function rangeOf({ kind, min, above, max, dimensions }) {
  const bounds = [
    min !== undefined && `≥ ${min}`,
    above !== undefined && `> ${above}`,
    max !== undefined && `≤ ${max}`,
  ];
  const within = bounds.filter(Boolean).join(' and ');
  if (kind === 'sizes') return `${`an integer ${within}`.trim()}, or ${dimensions ?? 'several'} of them`;
  return `${kind === 'integer' ? 'an integer ' : ''}${within}`.trim();
}

function describe({ doc, default: value, unused, ...row }) {
  const byDefault = value !== undefined && `${JSON.stringify(value).replaceAll('"', "'")} by default`;
  return [doc, rangeOf(row), byDefault, unused && 'changes no value'].filter(Boolean).join('; ');
}

const threads = { name: 'threads', kind: 'integer', min: 1, max: 1024, doc: 'native threads' };
const generator = { name: 'generator', kind: 'Generator', doc: 'default_generator by default', positional: true };

function rowOfInit(name) {
  const { parameters, random } = initializers[name];
  const tensor = { name: 'tensor', kind: 'TensorLike', required: true, positional: true };
  return {
    all: [tensor, ...parameters, ...(random ? [generator] : []), threads],
    returns: 'TensorLike',
    doc: 'the tensor',
  };
}

function rowOfLayer(name) {
  const dtype = { name: 'dtype', kind: 'Dtype', default: 'float32', doc: 'of all tensors but counters' };
  const all = [...layers.definitions[name].arguments, dtype, { ...generator, positional: false }, threads];
  return { all, returns: 'StateDict', doc: 'its tensors by name, as state_dict has them' };
}

/** How the row of a constant is found, by the constant's type. */
const rowsByType = new Map([
  ['InitFunction', rowOfInit],
  ['LayerFunction', rowOfLayer],
]);

function textOf(row, comment) {
  const own = new Comment(text(describe(row)));
  const tag = comment.blockTags.find((each) => each.tag === '@param' && each.name === row.name);
  if (tag) own.summary = tag.content;
  return own;
}

function argument(row, kind, parent, comment) {
  const Reflection = kind === ReflectionKind.Parameter ? ParameterReflection : DeclarationReflection;
  const reflection = new Reflection(row.name, kind, parent);
  reflection.type = new UnknownType(typeOf(row));
  reflection.setFlag(ReflectionFlag.Optional, !row.required);
  reflection.comment = textOf(row, comment);
  return reflection;
}

/** `options`, with what goes by name alone as its members. */
function optionsOf(rows, signature, comment) {
  const doc = 'any of the others by name, in a last object; and';
  const options = argument({ name: 'options', doc }, ReflectionKind.Parameter, signature, new Comment());
  const object = new DeclarationReflection('__type', ReflectionKind.TypeLiteral, options);
  object.children = rows.map((row) => argument(row, ReflectionKind.Property, object, comment));
  options.type = new ReflectionType(object);
  return options;
}

function makeFunction(context, reflection, { all, returns, doc }) {
  const { comment } = reflection;
  const signature = new SignatureReflection(reflection.name, ReflectionKind.CallSignature, reflection);
  const positional = all.filter((row) => row.positional);
  const named = all.filter((row) => !row.positional);
  signature.parameters = [
    ...positional.map((row) => argument(row, ReflectionKind.Parameter, signature, comment)),
    optionsOf(named, signature, comment),
  ];
  signature.type = new UnknownType(returns);
  comment.removeTags('@param');
  comment.blockTags.unshift(new CommentTag('@returns', text(doc)));
  signature.comment = comment;
  reflection.kind = ReflectionKind.Function;
  reflection.setFlag(ReflectionFlag.Const, false);
  reflection.signatures = [signature];
  delete reflection.type;
  delete reflection.comment;
  context.registerReflection(signature, undefined, undefined);
}

/** The tables themselves: their rows are above, and in docs/. */
const tables = {
  initializers: 'Readonly<Record<Name, Definition>>',
  definitions: 'Readonly<Record<LayerKind, LayerDefinition>>',
  gains: 'readonly Gain[]',
};

export function load(app) {
  app.converter.on(
    Converter.EVENT_RESOLVE_BEGIN,
    (context) => {
      let functions = 0;
      for (const reflection of context.project.getReflectionsByKind(ReflectionKind.Variable)) {
        const { type } = reflection;
        const row = rowsByType.get(type?.name)?.(type.typeArguments?.[0]?.value);
        if (row) {
          makeFunction(context, reflection, row);
          functions++;
        }
        if (Object.hasOwn(tables, reflection.name)) {
          context.project.removeTypeReflections(type);
          reflection.type = new UnknownType(tables[reflection.name]);
        }
      }
      const rows = Object.keys(initializers).length + layers.layerKinds.length;
      if (functions !== rows) throw new Error(`expected a function for each of ${rows} rows, but found ${functions}`);
    },
    1000,
  );
}

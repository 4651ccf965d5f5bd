// Arrays on an ArrayBuffer, so that they can be transferred and made a Blob. TypeScript before 5.7 knows no `Uint8Array<ArrayBuffer>`,
// and reads declarations that say it as errors; what `of` returns is that type where there is one.

export type OwnUint8Array = ReturnType<typeof Uint8Array.of>;
export type OwnFloat32Array = ReturnType<typeof Float32Array.of>;

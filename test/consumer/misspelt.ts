// Each line has one mistake, and then what the compiler must say of it. test/consumer.test.ts compiles it.
import { createPool, empty, init, layers } from 'nninit';
import { type Plan, streamCheckpoint, virtualCheckpoint, writeCheckpoint } from 'nninit/checkpoint';
import { orderCheckpoint } from 'nninit/cluster';
import { reportPage, signalReport, tensorReport } from 'nninit/report';

declare const plan: Plan;
const w = empty([2, 3]);
const pool = createPool();
init.kaiming_uniform_(w, { noninearity: 'relu' }); //! 'noninearity' does not exist in type 'Keywords<"kaiming_uniform", unknown>'. Did you mean to write 'nonlinearity'?
init.kaiming_uniform_(w, 0, 'fan_in', { noninearity: 'relu' }); //! Did you mean to write 'nonlinearity'?
init.kaiming_uniform_(w, 0, { nonlinearity: 'rleu' }); //! Type '"rleu"' is not assignable to type '"
init.normal_(w, { sdt: 1 }); //! 'sdt' does not exist in type 'Keywords<"normal", unknown>'.
init.zeros_(w, { thread: 1 }); //! Did you mean to write 'threads'?
init.constant_(w, { vla: 1 }); //! 'vla' does not exist in type 'Keywords<"constant", unknown>'.
empty([2], { dtpye: 'float16' }); //! Did you mean to write 'dtype'?
layers.Linear(20, 30, { biass: false }); //! Did you mean to write 'bias'?
layers.Linear({ in_feature: 20, out_features: 30 }); //! Did you mean to write 'in_features'?
layers.MultiheadAttention(8, 2, 0, { add_bias_vk: true }); //! Did you mean to write 'add_bias_kv'?
layers.LSTM(8, 2, { num_layer: 2 }); //! Did you mean to write 'num_layers'?
layers.Linear(20, 30).wieght; //! Did you mean 'weight'?
createPool({ thread: 2 }); //! Did you mean to write 'threads'?
pool.init.normal_(w, { singal: undefined }); //! Did you mean to write 'signal'?
pool.empty([2], { dtpye: 'float16' }); //! Did you mean to write 'dtype'?
pool.fill([], { genreator: undefined }); //! Did you mean to write 'generator'?
writeCheckpoint(plan, 'out', { sede: 1 }); //! 'sede' does not exist in type 'WriteCheckpointOptions'.
streamCheckpoint(plan, { sede: 1 }); //! 'sede' does not exist in type 'StreamCheckpointOptions'.
virtualCheckpoint(plan, { fromat: 'npy' }); //! Did you mean to write 'format'?
orderCheckpoint(plan, 'out', { redis: 'redis://localhost', sede: 1 }); //! 'sede' does not exist in type 'OrderOptions'.
signalReport('linear 8', { initializer: ['normal'] }); //! Did you mean to write 'initializers'?
signalReport('linear 8', { initializers: ['norml'] }); //! Type '"norml"' is not assignable to type
tensorReport(plan, { sede: 1 }); //! 'sede' does not exist in type 'TensorReportOptions'.
reportPage({ signal: [] }); //! Did you mean to write 'signals'?

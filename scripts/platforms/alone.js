// Only threads of a pool load the addon here, and are gone before the process is: it must end as ever.
import { createPool } from 'nninit';

const pool = createPool({ threads: 2 });
const { data } = await pool.init.ones_(pool.empty([100_000]));
await pool.close();
console.log(data.every((value) => value === 1) ? 'done' : 'wrong');

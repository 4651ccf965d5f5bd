// Finds the addon: what was built here, else what the package carries for this system; and says why neither could be had.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { packageFile, vendored } from '../core/package-files.js';

const localBuild = 'build/Release/nninit.node';
const buildIt = 'build it, see docs/installing.md#from-source';

/** The folder of prebuilds/ for this system: linux-x64, linux-x64-musl, darwin-arm64, … */
function platformName(): string {
  const { platform, arch } = process;
  if (platform !== 'linux') return `${platform}-${arch}`;
  const { isNonGlibcLinuxSync } = vendored('detect-libc') as { isNonGlibcLinuxSync(): boolean };
  return `${platform}-${arch}${isNonGlibcLinuxSync() ? '-musl' : ''}`;
}

const prebuilt = () => `prebuilds/${platformName()}/nninit.node`;

/** A file that was tried, and what came of it. */
interface Attempt {
  readonly file: string;
  readonly error: NodeJS.ErrnoException;
}

/**
 * Loads the addon.
 *
 * @throws Error with the files that were tried and, for the cause at hand, the remedy; a line each
 */
export function loadAddon(): unknown {
  const require = createRequire(import.meta.url);
  // The variable is for builds with sanitizers.
  const given = process.env.NNINIT_ADDON;
  const files: string[] = [];
  const tried: Attempt[] = [];
  // One after the other: to tell this system's name takes longer than to load the addon, in each thread.
  const places = given ? [() => given] : [() => packageFile(localBuild), () => packageFile(prebuilt())];
  for (const place of places) {
    const file = place();
    files.push(file);
    if (!existsSync(file)) continue;
    try {
      return require(file);
    } catch (error) {
      tried.push({ file, error: error as NodeJS.ErrnoException });
    }
  }
  throw failure(platformName(), files, tried);
}

function failure(platform: string, files: readonly string[], tried: readonly Attempt[]): Error {
  const lines = files.map((file) => {
    const error = tried.find((attempt) => attempt.file === file)?.error;
    return `  ${file}: ${error === undefined ? 'is not there' : (error.message.split('\n')[0] ?? '').replace(`${file}: `, '')}`;
  });
  const remedies = new Set(tried.length === 0 ? [remedyWithoutFile(platform)] : tried.map(remedyFor));
  return new Error(
    [
      `nninit: the native addon does not load (${platform}, Node.js ${process.version}). Tried`,
      ...lines,
      ...[...remedies].map((remedy) => `  → ${remedy}`),
    ].join('\n'),
    { cause: tried.at(-1)?.error },
  );
}

function remedyWithoutFile(platform: string): string {
  if (existsSync(packageFile('test'))) return 'compile it with `npm run build:native`';
  if (existsSync(packageFile('prebuilds'))) return `the package carries none for ${platform}: ${buildIt}`;
  return 'the package is not complete (a bundler or a deployment left prebuilds/ behind): copy all of it, or install it again';
}

/** What helps against the reason that the system or Node.js gave. */
function remedyFor({ file, error }: Attempt): string {
  const { message, code } = error;
  if (code === 'ERR_DLOPEN_DISABLED') {
    return (process as { permission?: unknown }).permission === undefined
      ? 'start Node.js without --no-addons'
      : "Node.js's permission model is on: start it with --allow-addons as well";
  }
  const mine = file.includes(localBuild) ? ', or remove build/ to have the one of the package' : '';
  const version = /version [`']?(GLIBC\w*_[\d.]+)/.exec(message)?.[1];
  if (version !== undefined) return `this system's libraries are older than ${version}: ${buildIt}${mine}`;
  const symbol = /undefined symbol: (\w+)/.exec(message)?.[1];
  if (symbol !== undefined)
    return `this system's libraries are older than it needs, they have no ${symbol}: ${buildIt}${mine}`;
  const library = missingLibrary(message, file);
  if (library !== undefined) {
    return /^ld-|libc\.|musl/.test(library)
      ? `it is for another C library (glibc or musl) than this system's: install nninit again on this system${mine}`
      : `install the system's package that has ${library}${mine}`;
  }
  if (/architecture|ELF|Mach-O|mach-o|Win32|file format|cannot open shared object/.test(message)) {
    return `it is for another system or processor than ${process.platform}-${process.arch}: install nninit again on this machine${mine}`;
  }
  return `install nninit again${mine}`;
}

/** The library that a loader (glibc's, musl's, macOS's) says is missing, unless that is the addon itself. */
function missingLibrary(message: string, file: string): string | undefined {
  const found =
    /^(\S+): cannot open shared object file/.exec(message) ??
    /Error loading shared library ([^:\s]+)/.exec(message) ??
    /Library not loaded: (\S+)/.exec(message);
  const library = found?.[1];
  return library === file ? undefined : library;
}

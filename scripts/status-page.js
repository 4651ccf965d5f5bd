// node scripts/status-page.js ADDRESS [FOLDER]: opens the page of a running `nninit serve` in Chromium, at the width of a phone and of a desk, and
// fails where something is not there, goes over the edge, or is told to the console. Needs playwright-core (npm install --no-save playwright-core)
// and Chromium (CHROMIUM, or /usr/bin/chromium). Pictures go to FOLDER.
import { join } from 'node:path';

const { chromium } = await import('playwright-core');
const [address = 'http://127.0.0.1:8080', folder] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
const problems = [];
try {
  for (const [name, width, colorScheme] of [
    ['phone', 360, 'light'],
    ['phone-dark', 360, 'dark'],
    ['desk', 1280, 'light'],
  ]) {
    const page = await browser.newPage({ viewport: { width, height: 740 }, colorScheme });
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && problems.push(message.text()));
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('requestfailed', (request) => problems.push(`${request.url()} failed`));
    page.on('response', (response) => response.ok() || problems.push(`${response.url()}: ${response.status()}`));
    await page.goto(address, { waitUntil: 'networkidle' });
    const seen = await page.evaluate(() => ({
      rows: document.querySelectorAll('tbody tr').length,
      // What is wider than the window has to scroll in a box of its own.
      over: document.documentElement.scrollWidth - innerWidth,
      smallest: Math.min(
        ...Array.from(document.querySelectorAll('p, td, th, code'), (each) =>
          Number.parseFloat(getComputedStyle(each).fontSize),
        ),
      ),
      host: document.querySelector('.host')?.textContent,
      links: Array.from(document.querySelectorAll('a'), (each) => each.href),
    }));
    if (seen.rows === 0) problems.push(`${name}: no repositories`);
    if (seen.over > 0) problems.push(`${name}: ${seen.over} pixels wider than the window`);
    if (seen.smallest < 12) problems.push(`${name}: text of ${seen.smallest} pixels`);
    if (seen.host !== new URL(address).origin) problems.push(`${name}: the host is shown as ${seen.host}`);
    for (const link of seen.links.slice(0, 20)) {
      const { status } = await fetch(link, { method: 'HEAD' });
      if (status !== 200) problems.push(`${link}: ${status}`);
    }
    if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
    await page.close();
  }
} finally {
  await browser.close();
}
for (const each of problems) console.error(each);
console.log(problems.length === 0 ? 'the page is well' : `${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;

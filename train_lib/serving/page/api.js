// The examples name the address at which this page was asked for.

const WRITTEN = 'http://127.0.0.1:8000';
for (const example of document.querySelectorAll('pre')) {
  example.textContent = example.textContent.replaceAll(WRITTEN, location.origin);
}

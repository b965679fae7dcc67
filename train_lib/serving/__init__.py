"""A trained net behind a local page and a small HTTP interface.

| file | what it holds |
|---|---|
| app.py | the addresses and what answers them |
| guard.py | who may ask, and how much: checks of a request's head, and of its body as it comes |
| calls.py | what answers at an address, and the numbers that come with a request |
| uploads.py | pictures out of a request's body, and a row of the answer for each |
| turns.py | one prediction at a time, and how many may wait |
| server.py | the program around it: port, signals, the first line that a person reads |
| drawn.py | pixels to PNG and to text that a page shows |
| views/ | what each task answers |
| page/ | the page: HTML, CSS and scripts, served from memory and from nowhere else |
"""

"""How fast a config's net is and what holds it up: what --job=benchmark measures.

| file | what it holds |
|---|---|
| cases.py | the rows that a config asks for |
| bench.py | one row: part after part |
| steps.py | the programs that are timed: training step, prediction, prediction of one picture |
| timing.py | groups of steps and their statistics |
| costs.py | arithmetic and memory of a compiled program |
| peaks.py | the most arithmetic that a device can do |
| batch_search.py | the batch size that is worth it |
| input_parts.py | the input pipeline, part by part |
| whole_loop.py | the training loop, in turns with the bare step |
| conv_gradient.py | a convolution's gradient inside a loop beside outside |
| verdict.py | what bounds a row, in words |
| rows.py | the files, and going on with them |
| report.py | the table on the screen |
| plots.py | the pictures |
"""

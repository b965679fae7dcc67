"""What --job=inspect tells of a run and of its data, and the page that it stands on.

| file | what it holds |
|---|---|
| markup.py | HTML that is safe by its type, and the parts that a section is made of |
| embedding.py | pictures within the page, small enough together |
| page.py | the page: sections, contents, one file |
| numbers.py | figures as people read them |
| csv_tables.py | CSV files as tables: the ends at once, all of them on demand |
| splits.py | the splits of a dataset, each picture read once |
| scan_reading.py, scan_files.py | the same of scans, and what their files hold |
| unreadable.py, balance.py, duplicates.py | one finding each: files, lines said, a section |
| dataset.py | all that is found out of the data of a config |
| folders.py | what a folder is: a run, a study, clusters, an exported net |
| run_record.py, run_figures.py, run_pictures.py, run_files.py, run_commands.py | of a run |
| run_page.py | all that a run's folder tells |
| other_pages.py | studies and clusters |
"""

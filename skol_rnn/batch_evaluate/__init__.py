"""Several settings by several data sets by several seeds: run in processes, resumable, in one table and one page."""

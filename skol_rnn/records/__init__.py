"""From labelled lines to records, such as one for each taxonomic treatment."""

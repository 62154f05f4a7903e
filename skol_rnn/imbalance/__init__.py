"""Label counts, class weights and sampling."""

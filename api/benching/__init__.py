"""What `gridbeat bench` needs of the outside face: servers, callers, and the peers over HTTP."""

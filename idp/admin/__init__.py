"""What administrators and their programs do. So far: the automation API, `/api/v1`."""

"""The contract between the front end and the workers: the job, its store, its queue.  Never imports torch."""

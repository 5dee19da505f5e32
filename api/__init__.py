"""The HTTP front end: requests in, jobs out.  Never imports torch."""

"""A stand-in for Google Cloud, held against Google's published discovery documents.

`tests.gce.server` is it as a process, `tests.gce.standing` leads Google's own libraries there by the environment alone, and
`tests.gce.inprocess` leads them to a router in this process, on any clock. What a test can say to Compute Engine stands in
`tests.gce.compute_words`, to every interface in `tests.gce.orders`, to the stand-in as a whole in `tests.gce.router`.
"""

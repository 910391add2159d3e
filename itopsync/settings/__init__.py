"""What the tables of ``sync.toml`` are made of. Each table is a model beside the code that goes by it; these are their parts.

``section``     a table: a frozen model whose keys say their type, default, bound, meaning and example
``quantities``  durations, sizes, moments
``addresses``   addresses of servers, and the certificates that they show
``secrets``     passwords, and where they are read from
``hints``       what was probably meant by a name that there is not
"""

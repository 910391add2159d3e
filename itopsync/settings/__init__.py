"""The building blocks of ``sync.toml``'s tables. Each table is a model beside the code that uses it.

``section``     the base of a table: a frozen model whose keys declare type, default, bound, meaning and example
``quantities``  durations, sizes, moments
``cron``        cron expressions
``conditions``  conditions in OQL
``addresses``   addresses of servers, and certificates to trust
``proxies``     the proxy that the environment names
``secrets``     passwords, and where they are read from
``routes``      which tickets get which values
``hints``       suggestions for unknown names
"""

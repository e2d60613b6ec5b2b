"""`python -m tests.servers`: does this machine have what `make test-isolation` needs?"""

from tests.servers.missing import main

main()

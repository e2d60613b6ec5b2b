"""All attacks, by family."""

from collections.abc import Mapping

from tests.isolation.attacks import (
    test_catalog,
    test_defining,
    test_files_of_the_server,
    test_forging,
    test_functions,
    test_guessing,
    test_holding_up,
    test_poisoning,
    test_reading,
    test_relatives,
    test_sessions_of_others,
    test_writing,
)
from tests.isolation.attacks.attack import Attack

FAMILIES: Mapping[str, tuple[Attack, ...]] = {
    module.__name__.rpartition(".test_")[2]: module.ATTACKS
    for module in (
        test_reading,
        test_writing,
        test_guessing,
        test_forging,
        test_functions,
        test_relatives,
        test_catalog,
        test_defining,
        test_files_of_the_server,
        test_sessions_of_others,
        test_poisoning,
        test_holding_up,
    )
}

#include "startmethods.h"
#include "test.h"

static void the_library_tells_its_abi_version(void)
{
    CHECK_EQUAL(SM_ABI_VERSION, sm_abi_version());
}

int main(void)
{
    static const sm_test_case cases[] = { CASE(the_library_tells_its_abi_version) };
    return sm_run_tests(cases, sizeof cases / sizeof *cases);
}

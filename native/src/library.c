#include "startmethods.h"

int32_t sm_abi_version(void)
{
    return SM_ABI_VERSION;
}

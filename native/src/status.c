// CHILD-SAFE: what the kernel tells of this process in no other place than the text of /proc/self/status.
#include "engine.h"

#include <string.h>

int64_t sm__own_status(const char *field, int base)
{
    char text[1024];
    if (sm__read_file("/proc/self/status", text, sizeof text) <= 0)
        return -1;
    const char *found = strstr(text, field);
    if (!found)
        return -1;
    found += strlen(field);
    return sm__parse(&found, base);
}

int32_t sm_process_tracer(void)
{
    int64_t tracer = sm__own_status("\nTracerPid:\t", 10);
    return tracer < 0 ? 0 : (int32_t)tracer;
}

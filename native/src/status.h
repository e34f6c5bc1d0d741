#ifndef SM_STATUS_H
#define SM_STATUS_H

#include <stdint.h>

// The number behind "\nField:\t" in /proc/self/status, or -1.
int64_t sm__own_status(const char *field, int base);

#endif

// CHILD-SAFE: closing every descriptor but a few, which a child does before it execs.
#include "directory.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum { SM_LAST_RESORT = 1 << 20 };

static int is_kept(const sm_spawn_descriptor *keep, uint32_t count, int descriptor)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (keep[middle].target < descriptor)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && keep[low].target == descriptor;
}

static int close_ranges(const sm_spawn_descriptor *keep, uint32_t count)
{
    unsigned first = 0;
    for (uint32_t i = 0; i < count; i++) {
        unsigned target = (unsigned)keep[i].target;
        if (target > first && syscall(SYS_close_range, first, target - 1, 0) != 0)
            return -errno;
        first = target + 1;
    }
    return syscall(SYS_close_range, first, ~0u, 0) == 0 ? 0 : -errno;
}

// What is open, not what may be open: RLIMIT_NOFILE says nothing about descriptors that were opened before it was lowered.
static int close_listed(const sm_spawn_descriptor *keep, uint32_t count)
{
    int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -errno;
    _Alignas(8) char block[2048];
    long length;
    // Closing while reading is safe: the kernel's position in this directory is the next descriptor number.
    while ((length = syscall(SYS_getdents64, directory, block, sizeof block)) > 0) {
        for (long at = 0; at < length;) {
            const struct directory_entry *entry = (const struct directory_entry *)(block + at);
            at += entry->length;
            int descriptor = 0;
            const char *digit = entry->name;
            for (; *digit >= '0' && *digit <= '9'; digit++)
                descriptor = descriptor * 10 + (*digit - '0');
            if (digit != entry->name && descriptor != directory && !is_kept(keep, count, descriptor))
                close(descriptor);
        }
    }
    int error = errno;
    close(directory);
    return length == 0 ? 0 : -error;
}

// Neither close_range (Linux 5.9) nor /proc: one by one, as far as a descriptor number usually goes.
static int close_each(const sm_spawn_descriptor *keep, uint32_t count)
{
    for (int descriptor = 0; descriptor < SM_LAST_RESORT; descriptor++)
        if (!is_kept(keep, count, descriptor))
            close(descriptor);
    return 0;
}

int sm__close_others(const sm_spawn_descriptor *keep, uint32_t count)
{
    if (close_ranges(keep, count) == 0 || close_listed(keep, count) == 0)
        return 0;
    return close_each(keep, count);
}

// What a process got from its surroundings and a forked child gets from those of the request instead: working directory, file mode mask, resource limits,
// the three standard descriptors, the environment. The application takes a picture of its own at each start (or opens what was asked for), and
// the child, a copy of a fork server that was started long before, becomes that. docs/protocol.md tells how it travels.
#include "engine.h"
#include "startmethods.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(sm_circumstances) == 24 + 16 * SM_LIMITS, "mirrored by Native.Circumstances.cs");
_Static_assert(offsetof(sm_circumstances, standard) == 12 && offsetof(sm_circumstances, limits) == 24, "mirrored by Native.Circumstances.cs");

// umask(2) can only be read by changing it, which a file that another thread creates at that moment would feel; the kernel tells it here.
static uint32_t file_mode_mask(void)
{
    int64_t mask = sm__own_status("\nUmask:\t", 8);
    return mask < 0 ? SM_MASK_UNKNOWN : (uint32_t)mask & 0777;
}

int32_t sm_circumstances_take(const char *directory, sm_circumstances *taken)
{
    if (taken->size < sizeof *taken)
        return -EINVAL;
    for (int resource = 0; resource < SM_LIMITS; resource++)
        if (syscall(SYS_prlimit64, 0, resource, NULL, &taken->limits[resource]) != 0)
            taken->limits[resource].soft = taken->limits[resource].hard = 0;
    taken->mask = file_mode_mask();
    // A descriptor instead of a name: a directory that was deleted, or is not readable, can still be the child's.
    int opened = open(directory != NULL ? directory : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0)
        return -errno;
    taken->directory = opened;
    return 0;
}

// The same directory, reached by the same mount: what getcwd tells in both.
static int is_working_directory(int directory)
{
    struct statx here, there;
    const unsigned wanted = STATX_INO | STATX_MNT_ID;
    if (syscall(SYS_statx, AT_FDCWD, ".", 0, wanted, &here) != 0 || syscall(SYS_statx, directory, "", AT_EMPTY_PATH, wanted, &there) != 0)
        return 0;
    return (here.stx_mask & there.stx_mask & wanted) == wanted && here.stx_ino == there.stx_ino && here.stx_mnt_id == there.stx_mnt_id
           && here.stx_dev_major == there.stx_dev_major && here.stx_dev_minor == there.stx_dev_minor;
}

// One open file, not merely one file: position and flags belong to that. F_DUPFD_QUERY is of Linux 6.10.
static int is_same_open_file(int one, int other)
{
    const int dupfd_query = 1027;
    int same = fcntl(one, dupfd_query, other);
    if (same < 0 && errno == EINVAL) {
        pid_t self = getpid();
        same = syscall(SYS_kcmp, self, self, KCMP_FILE, one, other) == 0;
    }
    return same == 1;
}

static int is_standard(int number, int file)
{
    int flags = fcntl(number, F_GETFD);
    return flags >= 0 && (flags & FD_CLOEXEC) == 0 && is_same_open_file(number, file);
}

int32_t sm_circumstances_hold(const sm_circumstances *taken)
{
    if (taken->size < sizeof *taken)
        return -EINVAL;
    for (int resource = 0; resource < SM_LIMITS; resource++) {
        sm_limit now = {0, 0};
        if (syscall(SYS_prlimit64, 0, resource, NULL, &now) != 0)
            now.soft = now.hard = 0;
        if (now.soft != taken->limits[resource].soft || now.hard != taken->limits[resource].hard)
            return 0;
    }
    if (!is_working_directory(taken->directory))
        return 0;
    for (int number = 0; number < 3; number++)
        if (taken->standard[number] >= 0 && !is_standard(number, taken->standard[number]))
            return 0;
    return file_mode_mask() == taken->mask;
}

static int set_limits(const sm_circumstances *wanted)
{
    for (int resource = 0; resource < SM_LIMITS; resource++) {
        sm_limit now;
        const sm_limit *limit = &wanted->limits[resource];
        if (syscall(SYS_prlimit64, 0, resource, NULL, &now) != 0 || (now.soft == limit->soft && now.hard == limit->hard))
            continue;
        if (limit->hard != 0 || limit->soft != 0 || now.soft != 0)
            if (syscall(SYS_prlimit64, 0, resource, limit, NULL) != 0)
                return -errno;
    }
    return 0;
}

int32_t sm_circumstances_become(const sm_circumstances *wanted, uint32_t *step)
{
    if (wanted->size < sizeof *wanted)
        return -EINVAL;
    *step = SM_BECOME_DIRECTORY;
    if (wanted->directory >= 0 && fchdir(wanted->directory) != 0)
        return -errno;
    *step = SM_BECOME_STANDARD;
    for (int number = 0; number < 3; number++)
        if (wanted->standard[number] >= 0 && wanted->standard[number] != number && dup3(wanted->standard[number], number, 0) < 0)
            return -errno;
    if (wanted->mask != SM_MASK_UNKNOWN)
        umask((mode_t)wanted->mask);
    *step = SM_BECOME_LIMITS;
    return set_limits(wanted);
}

int32_t sm_environment_replace(const char *block, uint64_t length)
{
    if (length > 0 && block[length - 1] != 0)
        return -EINVAL;
    size_t count = 0;
    for (uint64_t i = 0; i < length; i++)
        count += block[i] == 0;
    // One piece of memory for good: the C library never frees what environ points to, and native code may keep what getenv returned.
    char **variables = malloc((count + 1) * sizeof *variables + length);
    if (variables == NULL)
        return -ENOMEM;
    char *text = (char *)(variables + count + 1);
    memcpy(text, block, length);
    for (size_t i = 0; i < count; i++) {
        variables[i] = text;
        text += strlen(text) + 1;
    }
    variables[count] = NULL;
    environ = variables;
    return 0;
}

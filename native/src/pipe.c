// Pipes and the reads and writes of the parent's ends.
#include "startmethods.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int32_t sm_pipe(int32_t ends[2], int32_t nonblocking_end)
{
    int made[2];
    if (pipe2(made, O_CLOEXEC) != 0)
        return -errno;
    if (nonblocking_end >= 0 && fcntl(made[nonblocking_end & 1], F_SETFL, (nonblocking_end & 1 ? O_WRONLY : O_RDONLY) | O_NONBLOCK) != 0) {
        int error = errno;
        close(made[0]);
        close(made[1]);
        return -error;
    }
    ends[0] = made[0];
    ends[1] = made[1];
    return 0;
}

int32_t sm_open_null(void)
{
    int descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

int32_t sm_open_file(const char *path, uint32_t kind)
{
    int flags = kind == SM_OPEN_READ ? O_RDONLY : O_WRONLY | O_CREAT | (kind == SM_OPEN_APPEND ? O_APPEND : O_TRUNC);
    int descriptor;
    do
        descriptor = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    while (descriptor < 0 && errno == EINTR);
    return descriptor < 0 ? -errno : descriptor;
}

int32_t sm_is_inheritable(int32_t descriptor)
{
    int flags = fcntl(descriptor, F_GETFD);
    return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

int64_t sm_read(int32_t descriptor, void *buffer, uint64_t count)
{
    ssize_t result;
    do
        result = read(descriptor, buffer, count);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

int64_t sm_write(int32_t descriptor, const void *buffer, uint64_t count)
{
    ssize_t result;
    do
        result = write(descriptor, buffer, count);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

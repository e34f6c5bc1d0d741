// Channels: socketpairs that carry bytes and descriptors. Nothing here has a name in the file system.
// docs/protocol.md tells what travels over them.
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(sm_message) == 64, "mirrored by Native.Channel.cs");
_Static_assert(offsetof(sm_message, second_length) == 32, "mirrored by Native.Channel.cs");
_Static_assert(offsetof(sm_message, descriptors) == 40, "mirrored by Native.Channel.cs");
_Static_assert(offsetof(sm_message, flags) == 56, "mirrored by Native.Channel.cs");

static int32_t connect_pair(int type, int32_t ends[2])
{
    int pair[2];
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    ends[0] = pair[0];
    ends[1] = pair[1];
    return 0;
}

int32_t sm_channel_pair(int32_t ends[2])
{
    return connect_pair(SOCK_STREAM, ends);
}

int32_t sm_message_pair(int32_t ends[2])
{
    return connect_pair(SOCK_SEQPACKET, ends);
}

int32_t sm_message_end(int32_t end)
{
    return shutdown(end, SHUT_RD) < 0 ? -errno : 0;
}

typedef union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * SM_MAX_DESCRIPTORS)];
} control_buffer;

int64_t sm_channel_send(int32_t channel, const sm_message *message)
{
    if (message->size < sizeof *message || message->descriptor_count < 0 || message->descriptor_count > SM_MAX_DESCRIPTORS)
        return -EINVAL;
    struct iovec parts[2] = {{message->first, message->first_length}, {message->second, message->second_length}};
    struct msghdr header = {.msg_iov = parts, .msg_iovlen = message->second_length ? 2 : 1};
    control_buffer control;
    if (message->descriptor_count > 0) {
        size_t bytes = sizeof(int) * (size_t)message->descriptor_count;
        memset(&control, 0, sizeof control);
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(bytes);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(bytes);
        memcpy(CMSG_DATA(rights), message->descriptors, bytes);
    }
    // MSG_NOSIGNAL: a reader that is gone is an error, never a SIGPIPE that ends the program.
    int flags = MSG_NOSIGNAL | (message->flags & SM_MESSAGE_DONT_WAIT ? MSG_DONTWAIT : 0);
    ssize_t sent;
    do sent = sendmsg(channel, &header, flags);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

// Takes what arrived in the control buffer: as many descriptors as the caller has room for; the others are closed and counted as surplus.
static void take_descriptors(struct msghdr *header, sm_message *message, int32_t capacity)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
            if (message->descriptor_count < capacity) {
                message->descriptors[message->descriptor_count++] = descriptor;
            } else {
                close(descriptor);
                message->flags |= SM_MESSAGE_SURPLUS;
            }
        }
    }
}

int64_t sm_channel_receive(int32_t channel, sm_message *message)
{
    if (message->size < sizeof *message || message->descriptor_count < 0)
        return -EINVAL;
    int32_t capacity = message->descriptor_count;
    message->descriptor_count = 0;
    struct iovec parts[2] = {{message->first, message->first_length}, {message->second, message->second_length}};
    control_buffer control;
    struct msghdr header = {.msg_iov = parts, .msg_iovlen = message->second_length ? 2 : 1};
    // Without a control buffer the kernel itself closes descriptors that were not asked for, and says so with MSG_CTRUNC.
    if (capacity > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof control;
    }
    int flags = MSG_CMSG_CLOEXEC | (message->flags & SM_MESSAGE_DONT_WAIT ? MSG_DONTWAIT : 0)
        | (message->flags & SM_MESSAGE_WAIT_ALL ? MSG_WAITALL : 0);
    ssize_t received;
    do received = recvmsg(channel, &header, flags);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        return -errno;
    if (capacity > 0)
        take_descriptors(&header, message, capacity);
    if (header.msg_flags & MSG_CTRUNC)
        message->flags |= SM_MESSAGE_SURPLUS;
    return received;
}

// To let the processor go idle and to be woken there takes longer than most of what is waited for here.
int32_t sm_channel_await(int32_t channel, int64_t microseconds)
{
    struct pollfd wait = {.fd = channel, .events = POLLIN};
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        if (poll(&wait, 1, 0) > 0)
            return 1;
        sched_yield();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000 < microseconds);
    return 0;
}

int32_t sm_channel_is_socket(int32_t descriptor)
{
    int type;
    socklen_t length = sizeof type;
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
        return errno == ENOTSOCK ? 0 : -errno;
    return 1;
}

int32_t sm_channel_duplicate(int32_t descriptor)
{
    int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? -errno : copy;
}

int32_t sm_channel_shutdown(int32_t descriptor)
{
    return shutdown(descriptor, SHUT_RDWR) < 0 ? -errno : 0;
}

int32_t sm_set_close_on_exec(int32_t descriptor, int32_t enabled)
{
    return fcntl(descriptor, F_SETFD, enabled ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int32_t sm_set_standard_descriptor(int32_t descriptor, int32_t number)
{
    if (descriptor == number)
        return sm_set_close_on_exec(descriptor, 0);
    int result;
    do result = dup2(descriptor, number);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int32_t sm_relay(int32_t from, int32_t to, uint8_t *buffer, int32_t capacity)
{
    struct pollfd source = {from, POLLIN, 0}, sink = {to, POLLOUT, 0};
    if (poll(&source, 1, 0) == 0)
        return -EAGAIN;
    // A pipe that polls writable takes PIPE_BUF bytes at once: nothing here ever waits for whoever reads the other side.
    if (to >= 0 && poll(&sink, 1, 0) == 0)
        return -EBUSY;
    ssize_t count;
    do count = read(from, buffer, (size_t)(capacity < PIPE_BUF ? capacity : PIPE_BUF));
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return -errno;
    for (ssize_t done = 0; done < count && to >= 0;) {
        ssize_t written = write(to, buffer + done, (size_t)(count - done));
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            break; // nobody listens there: what was read still counts
        done += written;
    }
    return (int32_t)count;
}

int32_t sm_timer_create(int64_t milliseconds)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer < 0)
        return -errno;
    int32_t error = sm_timer_arm(timer, milliseconds);
    if (error < 0)
        close(timer);
    return error < 0 ? error : timer;
}

int32_t sm_timer_arm(int32_t timer, int64_t milliseconds)
{
    struct itimerspec when = { 0 };   // all zero disarms it, so a time that is over is a nanosecond
    if (milliseconds > 0)
        when.it_value = (struct timespec){ milliseconds / 1000, milliseconds % 1000 * 1000000 };
    else if (milliseconds == 0)
        when.it_value.tv_nsec = 1;
    return timerfd_settime(timer, 0, &when, NULL) < 0 ? -errno : 0;
}

void sm_timer_wait(int32_t timer)
{
    struct pollfd wait = {.fd = timer, .events = POLLIN};
    while (poll(&wait, 1, -1) < 0 && errno == EINTR)
        continue;
}

int32_t sm_environment_set(const char *name, const char *value)
{
    int result = value ? setenv(name, value, 1) : unsetenv(name);
    return result < 0 ? -errno : 0;
}

static int is_far_from_the_limit(int32_t descriptors)
{
    struct rlimit limit;
    long opened = sm__count_descriptors();
    return opened > 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)(opened + descriptors) <= limit.rlim_cur;
}

int32_t sm_has_room_for(int32_t descriptors)
{
    if (is_far_from_the_limit(descriptors))
        return 1;
    int opened[64], count = 0, wanted = descriptors < 64 ? descriptors : 64;
    for (int next = eventfd(0, EFD_CLOEXEC); next >= 0; next = count < wanted ? fcntl(opened[0], F_DUPFD_CLOEXEC, 0) : -1)
        opened[count++] = next;
    int enough = count >= wanted;
    while (count > 0)
        close(opened[--count]);
    return enough;
}

void sm_gate_wait(int32_t *gate)
{
    while (__atomic_load_n(gate, __ATOMIC_ACQUIRE) == 0)
        syscall(SYS_futex, gate, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

void sm_gate_open(int32_t *gate)
{
    __atomic_store_n(gate, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, gate, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

void sm_pause(int64_t microseconds)
{
    const struct timespec time = {.tv_sec = microseconds / 1000000, .tv_nsec = microseconds % 1000000 * 1000};
    nanosleep(&time, NULL);
}

void sm_exit_now(int32_t code)
{
    if (code == SM_EXIT_REHEARSAL)
        return;
    sm__remove_own_files();
    _exit(code);
}

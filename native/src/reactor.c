// The waiting half of the reactor: epoll, level-triggered, with a 64-bit key for each descriptor.
#include "startmethods.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(sm_reactor_event) == 16, "mirrored by Native.Reactor.cs");
enum { SM_REACTOR_BATCH = 64 };

int32_t sm_reactor_create(void)
{
    int reactor = epoll_create1(EPOLL_CLOEXEC);
    return reactor < 0 ? -errno : reactor;
}

static int32_t control(int32_t reactor, int operation, int32_t descriptor, uint32_t interest, uint64_t key)
{
    struct epoll_event event = { .data.u64 = key };
    if (interest & SM_REACTOR_READ)
        event.events |= EPOLLIN;
    if (interest & SM_REACTOR_WRITE)
        event.events |= EPOLLOUT;
    if (interest & SM_REACTOR_ONCE)
        event.events |= EPOLLONESHOT;
    return epoll_ctl(reactor, operation, descriptor, &event) == 0 ? 0 : -errno;
}

int32_t sm_reactor_add(int32_t reactor, int32_t descriptor, uint32_t interest, uint64_t key)
{
    return control(reactor, EPOLL_CTL_ADD, descriptor, interest, key);
}

int32_t sm_reactor_modify(int32_t reactor, int32_t descriptor, uint32_t interest, uint64_t key)
{
    return control(reactor, EPOLL_CTL_MOD, descriptor, interest, key);
}

int32_t sm_reactor_remove(int32_t reactor, int32_t descriptor)
{
    return control(reactor, EPOLL_CTL_DEL, descriptor, 0, 0);
}

int32_t sm_reactor_wait(int32_t reactor, int32_t owner_pid, sm_reactor_event *events, int32_t capacity)
{
    struct epoll_event ready[SM_REACTOR_BATCH];
    int room = capacity < SM_REACTOR_BATCH ? capacity : SM_REACTOR_BATCH;
    int count = epoll_wait(reactor, ready, room, -1);
    int error = errno;
    // A forked copy of the waiting thread wakes up in a process to which neither these descriptors' events nor their children belong.
    if ((int32_t)syscall(SYS_getpid) != owner_pid)
        return -EOWNERDEAD;
    if (count < 0)
        return error == EINTR ? 0 : -error;
    for (int i = 0; i < count; i++) {
        events[i].key = ready[i].data.u64;
        events[i].events = ready[i].events;
        events[i].reserved = 0;
    }
    return count;
}

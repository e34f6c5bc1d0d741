// CHILD-SAFE: descriptors that a child may not share with its parent. One pass, whatever RLIMIT_NOFILE is:
//  - the pipes over which the runtime's signal and process-wide threads are told things: new ones, else each reads the other's messages;
//  - sockets: replaced by a dead one (end of file, EPIPE) unless named, so that nobody speaks on the parent's connections by accident;
//  - epoll: a new set that holds only wake-up pipes and eventfds; registrations of the old one would be shared with the parent;
//  - inotify: a new one without watches, so that the parent's file events are not stolen.
#include "engine.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { KIND_NONE, KIND_OTHER, KIND_PIPE, KIND_SOCKET, KIND_EPOLL, KIND_EVENT, KIND_INOTIFY };
static void path_of(char *path, int size, const char *folder, int descriptor)
{
    sm_text text = { path, size, 0 };
    sm__text(&text, folder);
    sm__number(&text, descriptor);
}

static int kind_of(int descriptor, struct stat *state)
{
    char path[40], target[40];
    if (syscall(SYS_fstat, descriptor, state) != 0)
        return KIND_NONE;
    if (S_ISFIFO(state->st_mode))
        return KIND_PIPE;
    if (S_ISSOCK(state->st_mode))
        return KIND_SOCKET;
    if (state->st_mode & S_IFMT)
        return KIND_OTHER;
    path_of(path, sizeof path, "/proc/self/fd/", descriptor);
    long length = syscall(SYS_readlink, path, target, sizeof target - 1);
    if (length <= 0)
        return KIND_OTHER;
    target[length] = 0;
    return strcmp(target, "anon_inode:[eventpoll]") == 0 ? KIND_EPOLL : strncmp(target, "anon_inode:[eventfd", 19) == 0 ? KIND_EVENT
         : strcmp(target, "anon_inode:inotify") == 0 || strcmp(target, "anon_inode:[inotify]") == 0 ? KIND_INOTIFY : KIND_OTHER;
}

// Puts source's file under the number of target. Close-on-exec: nothing of this may reach a program that the child starts.
static int replace(int source, int target)
{
    return syscall(SYS_dup3, source, target, O_CLOEXEC) < 0 ? -errno : 0;
}

typedef struct { int reader; ino_t inode; int fresh[2]; } pipe_copy;

static int prepare_pipe(pipe_copy *pipe, int reader)
{
    struct stat state;
    pipe->reader = reader;
    if (reader < 0)
        return 0;
    if (syscall(SYS_fstat, reader, &state) != 0 || !S_ISFIFO(state.st_mode) || pipe2(pipe->fresh, O_CLOEXEC) != 0)
        return -errno;
    pipe->inode = state.st_ino;
    return 0;
}

static int replace_pipe_end(const pipe_copy *pipe, int descriptor, ino_t inode)
{
    if (pipe->reader < 0 || inode != pipe->inode || descriptor == pipe->fresh[0] || descriptor == pipe->fresh[1])
        return 0;
    int writes = (fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_WRONLY;
    return replace(pipe->fresh[writes], descriptor);
}

// A new epoll set under the same number, with those members of the old one that wake the thread that waits on it.
static int empty_epoll(int descriptor)
{
    SM_TABLE static char list[65536];
    char path[40];
    struct stat state;
    path_of(path, sizeof path, "/proc/self/fdinfo/", descriptor);
    int length = sm__read_file(path, list, sizeof list), fresh = (int)syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
    if (length < 0 || fresh < 0)
        return length < 0 ? length : -errno;
    for (const char *at = list; (at = strchr(at, 't')); at++) {
        if (strncmp(at, "tfd:", 4) != 0)
            continue;
        at += 4;
        while (*at == ' ') at++;
        int member = (int)sm__parse(&at, 10);
        struct epoll_event event;
        while (*at && *at != ':') at++;
        at++;
        while (*at == ' ') at++;
        event.events = (uint32_t)sm__parse(&at, 16);
        while (*at && *at != ':') at++;
        at++;
        while (*at == ' ') at++;
        event.data.u64 = (uint64_t)sm__parse(&at, 16);
        int kind = kind_of(member, &state);
        if (kind == KIND_EVENT) {   // shared, parent and child would take each other's wake-ups
            int event_file = (int)syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
            if (event_file >= 0) {
                replace(event_file, member);
                close(event_file);
            }
        }
        if (kind == KIND_EVENT || kind == KIND_PIPE)
            syscall(SYS_epoll_ctl, fresh, EPOLL_CTL_ADD, member, &event);
    }
    int replaced = replace(fresh, descriptor);
    close(fresh);
    return replaced;
}

static int is_kept(const sm_run *run, int descriptor)
{
    if (descriptor <= 2 || run->options->flags & SM_FORK_KEEP_SOCKETS)
        return 1;
    for (uint32_t i = 0; i < run->options->kept_count; i++)
        if (run->options->kept[i] == descriptor)
            return 1;
    return 0;
}

typedef struct { sm_run *run; pipe_copy signals, synchronisation; int dead_socket, dead_inotify; } pass;

static int own_one(pass *p, int descriptor)
{
    struct stat state;
    int error = 0;
    switch (kind_of(descriptor, &state)) {
    case KIND_NONE:
        return -EBADF;
    case KIND_PIPE:
        error = replace_pipe_end(&p->signals, descriptor, state.st_ino);
        return error ? error : replace_pipe_end(&p->synchronisation, descriptor, state.st_ino);
    case KIND_SOCKET:
        if (is_kept(p->run, descriptor) || descriptor == p->dead_socket)
            return 0;
        if (p->dead_socket < 0) {
            int pair[2];
            if (syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
                return -errno;
            close(pair[1]);
            p->dead_socket = pair[0];
        }
        return replace(p->dead_socket, descriptor);
    case KIND_EPOLL:
        return empty_epoll(descriptor);
    case KIND_INOTIFY:
        if (descriptor == p->dead_inotify)
            return 0;
        if (p->dead_inotify < 0)
            p->dead_inotify = (int)syscall(SYS_inotify_init1, O_CLOEXEC);
        return p->dead_inotify < 0 ? 0 : replace(p->dead_inotify, descriptor);
    default:
        return 0;
    }
}

// The size of /proc/self/fd is their number (Linux 6.2; before, 0).
long sm__count_descriptors(void)
{
    struct stat folder;
    return syscall(SYS_newfstatat, AT_FDCWD, "/proc/self/fd", &folder, 0) == 0 ? (long)folder.st_size : 0;
}

static int is_fresh(const pipe_copy *pipe, long descriptor)
{
    return pipe->reader >= 0 && (descriptor == pipe->fresh[0] || descriptor == pipe->fresh[1]);
}

// Every descriptor that was open at the fork is looked at once. Reading /proc/self/fd instead makes the kernel build a name and an inode for each, and take them
// apart when the child ends: a tenth of a millisecond with twenty descriptors.
// Returns 1 where that does not pay or is not known: few descriptors with high numbers, an older kernel.
static int own_counted(pass *p)
{
    enum { MOST_GAPS = 512 };
    int gaps = 0;
    if (p->run->descriptors <= 0)
        return 1;
    for (long descriptor = 0, left = p->run->descriptors; left > 0; descriptor++) {
        // One that was made in this process is not among them.
        if (descriptor == p->dead_socket || descriptor == p->dead_inotify || is_fresh(&p->signals, descriptor) || is_fresh(&p->synchronisation, descriptor))
            continue;
        int error = own_one(p, (int)descriptor);
        if (error == 0)
            left--;
        else if (error != -EBADF)
            return error;
        else if (++gaps > MOST_GAPS)
            return 1;
    }
    return 0;
}

static int own_listed(pass *p)
{
    SM_TABLE static _Alignas(8) char buffer[32768];
    int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = folder < 0 ? -errno : 0;
    for (long got; error == 0 && (got = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0;) {
        for (long at = 0; at < got && error == 0;) {
            struct directory_entry *entry = (struct directory_entry *)(buffer + at);
            const char *digits = entry->name;
            at += entry->length;
            if (*digits < '0' || *digits > '9')
                continue;
            int descriptor = (int)sm__parse(&digits, 10), result = descriptor == folder ? 0 : own_one(p, descriptor);
            if (result != -EBADF)
                error = result;
        }
    }
    if (folder >= 0)
        close(folder);
    return error;
}

static void close_pipe(const pipe_copy *pipe)
{
    if (pipe->reader < 0)
        return;
    close(pipe->fresh[0]);
    close(pipe->fresh[1]);
}

int sm__own_descriptors(sm_run *run)
{
    pass p = { .run = run, .dead_socket = -1, .dead_inotify = -1 };
    int error = prepare_pipe(&p.signals, sm__engine.signal_pipe);
    if (error == 0)
        error = prepare_pipe(&p.synchronisation, sm__engine.synch_pipe);
    if (error == 0)
        error = own_counted(&p);
    if (error == 1)
        error = own_listed(&p);
    close_pipe(&p.signals);
    close_pipe(&p.synchronisation);
    if (p.dead_socket >= 0)
        close(p.dead_socket);
    if (p.dead_inotify >= 0)
        close(p.dead_inotify);
    return error;
}

// The pipes' read ends, as the threads that are parked in them show: read(fd) and poll({fd}). Remembered, since they never change. (The signal
// thread gets a managed Thread with the first handler that it runs, so that says nothing.)
SM_UNSANITIZED void sm__learn_pipes(void)
{
    for (int i = 0; i < sm__slot_count; i++) {
        const sm_slot *slot = &sm__slots[i];
        if (atomic_load(&slot->state) != SM_SLOT_PARKED || !slot->parked)
            continue;
        if (strcmp(slot->name, ".NET SigHandler") == 0 && slot->syscall == SYS_read)
            sm__engine.signal_pipe = (int)slot->argument[0];
        if (strcmp(slot->name, ".NET SynchManag") == 0 && (slot->syscall == SYS_poll || slot->syscall == -1) && slot->argument[1] == 1)
            sm__engine.synch_pipe = *(int *)slot->argument[0];
    }
}

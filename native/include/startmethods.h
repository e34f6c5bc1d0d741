// The whole ABI of libstartmethods. docs/architecture.md tells how the managed side uses it.
//
// Rules: every function returns >= 0 or -errno (never through errno); options travel in one struct whose first field is its size, and are
// extended at the end only; only fixed-width types cross; ownership of each descriptor is said at the function. The managed mirror of each
// section is src/StartMethods/Interop/Native.<Section>.cs, which asserts the same sizes and offsets.
#ifndef STARTMETHODS_H
#define STARTMETHODS_H

#include <stddef.h>
#include <stdint.h>

#define SM_API extern __attribute__((visibility("default")))

// ── library ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
// Bumped with every change of this header; the managed side refuses a library with another number.
#define SM_ABI_VERSION 1

// Returns SM_ABI_VERSION of the library that was loaded.
SM_API int32_t sm_abi_version(void);

// ── processes (process.c, Native.Process.cs) ─────────────────────────────────────────────────────────────────────────────────────────
#define SM_EXIT_RUNNING 0   // has not ended
#define SM_EXIT_CODE 1      // ended by exit: value is the code
#define SM_EXIT_SIGNAL 2    // ended by a signal: value is its number
#define SM_EXIT_DUMPED 3    // as SM_EXIT_SIGNAL, and a core was written
#define SM_EXIT_LOST 4      // ended, somebody else took its status, and the kernel is too old to tell it again

typedef struct {
    uint32_t size;
    uint32_t kind;                 // SM_EXIT_*
    int32_t value;
    uint32_t has_usage;            // the fields below are valid (they are not where somebody else reaped the child)
    int64_t user_us, system_us;    // processor time in microseconds
    int64_t max_rss_bytes;
    int64_t minor_faults, major_faults;
    int64_t voluntary_switches, involuntary_switches;
} sm_exit_info;

#define SM_SIGNAL_PROCESS 0
#define SM_SIGNAL_GROUP 1          // every process of the group whose leader this process is (or was)

// A new close-on-exec pidfd of a child that the caller has not reaped; the caller owns it.
SM_API int32_t sm_process_open(int32_t pid);
// Sends a signal by pidfd; where the kernel refuses pidfds (or pidfd is -1), by pid after checking that it is still an unreaped child.
// -ESRCH: it has ended.
SM_API int32_t sm_process_signal(int32_t pid, int32_t pidfd, int32_t signo, uint32_t scope);
// Takes the exit status if the child has ended, without blocking and without touching any other child. pidfd may be -1.
// 1: *info tells how it ended; 0: it runs.
SM_API int32_t sm_process_reap(int32_t pid, int32_t pidfd, sm_exit_info *info);
// Waits until the child has ended, leaving its status to sm_process_reap. timeout_ms -1: for ever. 1: ended (or reaped by another), 0: timeout.
// pidfd -1 is possible with timeout -1 only.
SM_API int32_t sm_process_wait(int32_t pid, int32_t pidfd, int32_t timeout_ms);
// close(2), for descriptors that this library returned.
SM_API int32_t sm_close(int32_t descriptor);

// ── reactor (reactor.c, Native.Reactor.cs) ───────────────────────────────────────────────────────────────────────────────────────────
#define SM_REACTOR_READ 1u
#define SM_REACTOR_WRITE 2u
#define SM_REACTOR_ONCE 4u         // disarmed by its first event until sm_reactor_modify

typedef struct { uint64_t key; uint32_t events; uint32_t reserved; } sm_reactor_event;

// A new epoll instance, close-on-exec; the caller owns it.
SM_API int32_t sm_reactor_create(void);
SM_API int32_t sm_reactor_add(int32_t reactor, int32_t descriptor, uint32_t interest, uint64_t key);
SM_API int32_t sm_reactor_modify(int32_t reactor, int32_t descriptor, uint32_t interest, uint64_t key);
SM_API int32_t sm_reactor_remove(int32_t reactor, int32_t descriptor);
// Waits for events: their number. -EOWNERDEAD: this is a forked copy of the process owner_pid, to which the reactor belongs.
SM_API int32_t sm_reactor_wait(int32_t reactor, int32_t owner_pid, sm_reactor_event *events, int32_t capacity);
// getpid(2): never a value cached before a fork.
SM_API int32_t sm_process_id(void);

// ── channels (channel.c, Native.Channel.cs) ──────────────────────────────────────────────────────────────────────────────────────────
#define SM_MAX_DESCRIPTORS 253        // SCM_MAX_FD of the kernel: more in one message is EINVAL there
#define SM_MESSAGE_DONT_WAIT 1u       // -EAGAIN rather than waiting
#define SM_MESSAGE_WAIT_ALL 2u        // receive: wait until the buffers are full or the stream ends
#define SM_MESSAGE_SURPLUS 4u         // set by receive: more descriptors arrived than there was room for; they are closed

typedef struct {
    uint32_t size;
    int32_t descriptor_count;         // send: how many; receive: room for, then how many arrived
    void *first;                      // the bytes, in two parts; the second may be empty
    uint64_t first_length;
    void *second;
    uint64_t second_length;
    int32_t *descriptors;             // send: stay the caller's; receive: become the caller's, close-on-exec
    uint64_t reserved;
    uint32_t flags;                   // SM_MESSAGE_*
    uint32_t reserved2;
} sm_message;

// A connected pair of close-on-exec stream sockets that carry descriptors; the caller owns both.
SM_API int32_t sm_channel_pair(int32_t ends[2]);
// Sends: the number of bytes taken (perhaps not all; the descriptors went with the first). Never raises SIGPIPE: -EPIPE.
SM_API int64_t sm_channel_send(int32_t channel, const sm_message *message);
// Receives: the number of bytes; 0 at the end of the stream. Descriptors for which there is no room are closed: SM_MESSAGE_SURPLUS.
SM_API int64_t sm_channel_receive(int32_t channel, sm_message *message);
// 1: a socket, 0: something else that is open, -EBADF: not open.
SM_API int32_t sm_channel_is_socket(int32_t descriptor);
// A close-on-exec duplicate: a second number for the same socket; the caller owns it.
SM_API int32_t sm_channel_duplicate(int32_t descriptor);
// A timer on the monotonic clock that becomes readable once, after so many milliseconds; close-on-exec; the caller owns it.
SM_API int32_t sm_timer_create(int64_t milliseconds);
// Sets or clears close-on-exec.
SM_API int32_t sm_set_close_on_exec(int32_t descriptor, int32_t enabled);
// setenv(3), or unsetenv(3) where value is null: what native code and programs that it starts see. Not thread-safe: only before others run.
SM_API int32_t sm_environment_set(const char *name, const char *value);
// _exit(2): no handlers, no destructors, nothing flushed.
SM_API void sm_exit_now(int32_t code);

#endif

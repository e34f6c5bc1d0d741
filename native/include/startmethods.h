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
// When a process was started, in the system's own unit: what tells it from others of the same id. Or -errno.
SM_API int64_t sm_process_start_time(int32_t pid);
// Removes the files by which tools find a .NET process that has ended. folder: its TMPDIR; NULL or empty: /tmp.
SM_API void sm_process_remove_files(int32_t pid, int64_t start_time, const char *folder);
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
// Native id of the thread that traces this process (ptrace(2)); 0: nobody does, or that is not known.
SM_API int32_t sm_process_tracer(void);

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
// The same with sockets that keep the boundaries of messages.
SM_API int32_t sm_message_pair(int32_t ends[2]);
// Nothing more arrives at this end: what is there can still be received, and then the end of the stream, whoever else has the other end.
SM_API int32_t sm_message_end(int32_t end);
// Sends: the number of bytes taken (perhaps not all; the descriptors went with the first). Never raises SIGPIPE: -EPIPE.
SM_API int64_t sm_channel_send(int32_t channel, const sm_message *message);
// Receives: the number of bytes; 0 at the end of the stream. Descriptors for which there is no room are closed: SM_MESSAGE_SURPLUS.
SM_API int64_t sm_channel_receive(int32_t channel, sm_message *message);
// Waits for something to read, or the end, for so many microseconds, and without letting go of the processor unless somebody else wants it: 1 or 0.
SM_API int32_t sm_channel_await(int32_t channel, int64_t microseconds);
// 1: a socket, 0: something else that is open, -EBADF: not open.
SM_API int32_t sm_channel_is_socket(int32_t descriptor);
// A close-on-exec duplicate: a second number for the same socket; the caller owns it.
SM_API int32_t sm_channel_duplicate(int32_t descriptor);
// shutdown(2) in both directions: both sides see the end of the stream.
SM_API int32_t sm_channel_shutdown(int32_t descriptor);
// Makes number (0, 1 or 2) refer to what descriptor refers to; descriptor itself stays open unless it is that number.
SM_API int32_t sm_set_standard_descriptor(int32_t descriptor, int32_t number);
// Moves at most PIPE_BUF bytes from a pipe to a descriptor (-1: nowhere) without ever waiting, and leaves them in buffer: how many, 0 at the end.
// -EAGAIN: nothing there; -EBUSY: `to` takes nothing now. A write error is not reported: then there is nobody to write to.
SM_API int32_t sm_relay(int32_t from, int32_t to, uint8_t *buffer, int32_t capacity);
// A timer on the monotonic clock that becomes readable once, after so many milliseconds (negative: not until it is set); close-on-exec; the caller owns it.
SM_API int32_t sm_timer_create(int64_t milliseconds);
// Sets a timer anew, readable once after so many milliseconds; negative: not readable until it is set again.
SM_API int32_t sm_timer_arm(int32_t timer, int64_t milliseconds);
// Waits until it is readable.
SM_API void sm_timer_wait(int32_t timer);
// A thread waits until the gate, a word that was 0, is opened, once and for good. Both cost one system call.
SM_API void sm_gate_wait(int32_t *gate);
SM_API void sm_gate_open(int32_t *gate);
// Lets others run for that time, or less if a signal comes.
SM_API void sm_pause(int64_t microseconds);
// Whether this process can open so many descriptors more now: 1 or 0. At most 64 are tried.
SM_API int32_t sm_has_room_for(int32_t descriptors);
// Sets or clears close-on-exec.
SM_API int32_t sm_set_close_on_exec(int32_t descriptor, int32_t enabled);
// setenv(3), or unsetenv(3) where value is null: what native code and programs that it starts see. Not thread-safe: only before others run.
SM_API int32_t sm_environment_set(const char *name, const char *value);
// _exit(2): no handlers, no destructors, nothing flushed; only the files by which tools find this process are removed. SM_EXIT_REHEARSAL does nothing: a process that will be forked binds the call with it.
#define SM_EXIT_REHEARSAL INT32_MIN
SM_API void sm_exit_now(int32_t code);

// ── rings: the channel to a pool worker in shared memory (ring.c, Native.Ring.cs) ────────────────────────────────────────────────────
// One memfd a worker holds two rings, one for each direction, and two arenas for what is too large for a ring. In front of each ring is this header.
// Head and tail count bytes and only ever grow (modulo 2^32); a ring has a power of two of bytes. The other side's numbers are hints, never trusted.
typedef struct {
    uint32_t head;                 // written by the producer: what it has published
    uint32_t producer_cpu;         // where the producer ran last; SM_RING_ASLEEP while it waits for something
    uint32_t producer_waits;       // the producer sleeps until the tail moves
    uint32_t reserved0[29];
    uint32_t tail;                 // written by the consumer: what it is done with
    uint32_t consumer_sleeps;      // the consumer sleeps: whoever publishes must wake it
    uint32_t reserved1[30];
} sm_ring_header;                  // 256 bytes: each side writes its own two cache lines

#define SM_RING_ASLEEP 0xffffffffu

typedef struct {
    uint32_t *word;                // a head (or a private counter): something is there when it is not `seen`
    uint32_t *sleeps;              // set while the caller sleeps
    uint32_t *peer_cpu;            // producer_cpu of the other side, or null: then this watch is no reason to spin
    uint32_t *own_cpu;             // where the caller announces on which processor it runs and that it sleeps, or null
    uint32_t seen;
    uint32_t reserved;
} sm_ring_watch;

typedef struct {
    uint32_t size;
    uint32_t count;                // watches
    sm_ring_watch *watches;
    int32_t bells;                 // from sm_bells_create: sleep there; -1: sleep on the word of the only watch
    int32_t timeout_ms;            // -1: for ever
    uint32_t max_spin_ns;          // 0: never spin
    uint32_t spin_ns;              // in, out: the present budget; grows when waits turn out to be short, is cut when they are not
    uint32_t waits;                // in, out: counts calls
    uint32_t processors;           // in, out: on how many this thread may run; 0: not yet asked
    uint64_t slept;                // in, out: how many waits ended in a sleep
    uint64_t spun;                 // in, out: how many waits ended while spinning
    uint64_t vain_ns;              // in, out: how long it spun for nothing, all in all
    uint64_t seen_ns;              // in, out: up to when time was counted for the next
    int64_t credit_ns;             // in, out: how long it may spin for nothing now
} sm_ring_wait_state;

// A close-on-exec memfd of `size` bytes that can never shrink or grow (the other side could otherwise kill this one by SIGBUS); the caller owns it.
SM_API int32_t sm_ring_create(uint64_t size);
// Maps a memfd of sm_ring_create, shared. -EINVAL: it has another size, or could be truncated by the other side.
SM_API int32_t sm_ring_map(int32_t memory, uint64_t size, void **address);
SM_API int32_t sm_ring_unmap(void *address, uint64_t size);
// Gives the pages of a part back to the system; they read as zero afterwards.
SM_API int32_t sm_ring_discard(int32_t memory, uint64_t offset, uint64_t length);
// Waits until one of the words has moved (1), a bell rang (2), or the time is over (0). Spins first only where that can pay: see ring.c.
SM_API int32_t sm_ring_wait(sm_ring_wait_state *state);
// Wakes whoever sleeps on the word.
SM_API int32_t sm_ring_wake(uint32_t *word);
// Sleeps until the tail is not `seen` any more, a millisecond count is over, or for no reason.
SM_API int32_t sm_ring_wait_for_room(sm_ring_header *ring, uint32_t seen, int32_t timeout_ms);
// The processor on which the caller runs.
SM_API int32_t sm_ring_processor(void);

// A bell: an eventfd that wakes a thread in sm_ring_wait. Close-on-exec; the caller owns it.
SM_API int32_t sm_bell_create(void);
SM_API int32_t sm_bell_ring(int32_t bell);
// A set of bells to sleep on, and one bell more in it. A bell need never be emptied: each ring is one event.
SM_API int32_t sm_bells_create(void);
SM_API int32_t sm_bells_add(int32_t bells, int32_t bell);

// ── spawn (spawn.c, spawn_child.c, Native.Spawn.cs) ──────────────────────────────────────────────────────────────────────────────────
#define SM_SPAWN_SESSION 1u              // setsid
#define SM_SPAWN_PROCESS_GROUP 2u        // setpgid(0, process_group)
#define SM_SPAWN_TERMINAL 4u             // controlling_terminal becomes the terminal of the new session
#define SM_SPAWN_UMASK 16u
#define SM_SPAWN_NICE 32u
#define SM_SPAWN_GROUPS 64u
#define SM_SPAWN_GROUP 128u
#define SM_SPAWN_USER 256u
#define SM_SPAWN_NO_NEW_PRIVILEGES 512u
#define SM_SPAWN_DIE_WITH_PARENT 1024u   // SIGKILL when this process ends: from one thread that never ends, see spawn_thread.c

// Where a start failed: sm_spawn_result.stage.
#define SM_STAGE_NONE 0u
#define SM_STAGE_CLONE 1u
#define SM_STAGE_SESSION 2u
#define SM_STAGE_PROCESS_GROUP 3u
#define SM_STAGE_DESCRIPTOR 4u           // detail: index in descriptors
#define SM_STAGE_TERMINAL 5u
#define SM_STAGE_CLOSE 6u
#define SM_STAGE_NICE 7u
#define SM_STAGE_AFFINITY 8u
#define SM_STAGE_LIMIT 9u                // detail: index in limits
#define SM_STAGE_GROUPS 10u
#define SM_STAGE_GROUP 11u
#define SM_STAGE_USER 12u
#define SM_STAGE_DIRECTORY 13u
#define SM_STAGE_NO_NEW_PRIVILEGES 14u
#define SM_STAGE_PARENT 15u              // the parent had ended before the program was started
#define SM_STAGE_EXEC 16u

typedef struct { int32_t source, target; } sm_spawn_descriptor;
typedef struct { uint32_t resource, keep_hard; uint64_t soft, hard; } sm_spawn_limit;

typedef struct {
    uint32_t size;
    uint32_t flags;                          // SM_SPAWN_*
    const char *file;                        // a path, or a name without a slash to look for in search_path
    const char *search_path;                 // NULL: file is a path
    const char *const *argv;
    const char *const *envp;
    const char *directory;                   // NULL: the caller's
    const sm_spawn_descriptor *descriptors;  // sorted by target, each target once; every other descriptor is closed in the program
    const sm_spawn_limit *limits;
    const uint32_t *groups;
    const uint8_t *affinity;                 // a cpu_set_t of affinity_bytes; NULL: the caller's
    uint32_t descriptor_count, limit_count, group_count, affinity_bytes;
    uint64_t default_signals;                // bit n-1: signal n is reset to its default (handlers always are; this is about ignored ones)
    uint64_t blocked_signals;                // the program's signal mask
    int32_t process_group;                   // 0: a new one
    int32_t controlling_terminal;            // a target number
    uint32_t umask;
    int32_t nice;                            // absolute, -20 .. 19
    uint32_t group, user;
} sm_spawn_options;

typedef struct {
    uint32_t size;
    int32_t pid;
    int32_t pidfd;                           // owned by the caller, close-on-exec; -1 where the kernel refuses pidfds. Set as soon as there is a
                                             // child: another thread may kill one that does not get to its exec
    uint32_t stage;                          // SM_STAGE_*, where it failed
    uint32_t detail;
} sm_spawn_result;

// Starts a program. Returns 0 once exec has succeeded, else -errno with the stage; a failed start leaves no process and no descriptor behind.
// Costs the same whatever the size of the caller: the child borrows the caller's memory until it execs, as with vfork.
SM_API int32_t sm_spawn(const sm_spawn_options *options, sm_spawn_result *result);
// A close-on-exec pipe: ends[0] reads, ends[1] writes. nonblocking_end 0 or 1: that end is O_NONBLOCK (the other is not); -1: none.
SM_API int32_t sm_pipe(int32_t ends[2], int32_t nonblocking_end);
// open(2) of /dev/null for reading and writing, close-on-exec.
SM_API int32_t sm_open_null(void);
#define SM_OPEN_READ 0u
#define SM_OPEN_TRUNCATE 1u    // for writing: created (mode 0666 less the umask) or emptied
#define SM_OPEN_APPEND 2u      // for writing: created, and every write goes to its end
// open(2), close-on-exec.
SM_API int32_t sm_open_file(const char *path, uint32_t kind);
// Whether a descriptor is open and would survive exec: 1 or 0. Where a program was started without descriptors 0 to 2, its runtime's own
// files get these numbers: they are close-on-exec, and no standard input or output.
SM_API int32_t sm_is_inheritable(int32_t descriptor);
// read(2) and write(2), restarted after EINTR. Without a reader: -EPIPE (the runtime ignores SIGPIPE).
SM_API int64_t sm_read(int32_t descriptor, void *buffer, uint64_t count);
SM_API int64_t sm_write(int32_t descriptor, const void *buffer, uint64_t count);

// ── fork ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
// Forks a process that hosts CoreCLR so that the child is a whole runtime: every other thread is parked by a real-time signal, the process
// is cloned, and the child gives its threads back (docs/architecture.md, "One fork"). Mirror: Interop/Native.Fork.cs.

enum {
    SM_FORK_REVIVE_ALL = 1,    // user and foreign threads live on in the child too; else they are frozen there
    SM_FORK_CLONE_PARENT = 2,  // the child's parent is the caller's parent (fork server)
    SM_FORK_NO_WAIT = 4,       // return before the child has its threads back; only where code memory needs no copy (W^X off)
    SM_FORK_KEEP_SOCKETS = 8,  // do not disown inherited sockets
    SM_FORK_STRICT = 16,       // fail rather than fork at a moment when threads run or wait for locks
    SM_FORK_CANARY = 32,       // whoever might run the application's code stays behind wherever that can be: see may_run_application in quiesce.c
    SM_FORK_NO_LOCKS = 64,     // no thread holds a lock while it waits (fork server): where all wait, there are no owners to repair
    SM_FORK_DORMANT = 128,     // where all threads wait, they come back in the child only when it has lived for some milliseconds
    SM_FORK_HOLD = 256,        // where all threads wait, they stay parked in the parent until sm_fork_let_go or sm_fork_hold_until lets them go: the next fork need not park them
    SM_FORK_OWN_DATA = 512,    // data that the runtime keeps in shared code memory (W^X) becomes private, in this process and once, so that children need no copy; in the child where it is a canary
    SM_FORK_LATE_RUNTIME = 1024, // where all threads wait, and are known to own no lock there, the runtime's own come back in the child only when it has lived for some milliseconds
    SM_FORK_ONLY_SAFE = 2048,  // fork only if every thread is one that a child can be whole without being asked about; else SM_FORK_LOOK_FIRST
    SM_FORK_POOL_RESTS = 4096, // no worker of the pool is in the middle of a work item: they count as such threads
    SM_FORK_SEARCH = 8192,     // owners of locks are searched for in any case
};

enum { SM_THREAD_CALLER, SM_THREAD_MAIN, SM_THREAD_RUNTIME, SM_THREAD_POOL, SM_THREAD_GATE, SM_THREAD_TIMER, SM_THREAD_SOCKETS,
       SM_THREAD_LIBRARY, SM_THREAD_USER, SM_THREAD_FOREIGN };
enum { SM_ACTION_REVIVE = 0, SM_ACTION_FREEZE = 1 };
enum { SM_FORK_LOOK_FIRST = -117 };   // -EUCLEAN, which no step of a fork can have: there is no child, and nothing has changed
enum { SM_MODE_UNKNOWN = -1, SM_MODE_PREEMPTIVE = 0, SM_MODE_COOPERATIVE = 1 };

typedef struct sm_fork_setup {
    uint32_t size;
    uint32_t needs_thread_map;         // 1: refuse a runtime whose thread map is not found (10.0.4 and later have one)
    const void *contract_descriptor;   // libcoreclr's DotNetRuntimeContractDescriptor, or NULL: no runtime (C tests)
    const void *rseq_offset;           // libc's __rseq_offset and __rseq_size, or NULL where libc has none
    const void *rseq_size;
} sm_fork_setup;

typedef struct sm_thread_policy { int32_t tid; int32_t action; } sm_thread_policy;

typedef struct sm_fork_options {
    uint32_t size;
    uint32_t flags;
    uint64_t deadline_us;              // how long to try before failing with the culprit named
    uint64_t quiet_us;                 // how much of it to spend on waiting for a moment that needs no repair
    const int32_t *kept;               // descriptors of sockets that the child keeps
    const sm_thread_policy *policies;  // exceptions to what the flags say
    uint32_t kept_count;
    uint32_t policy_count;
    int32_t *birth;                    // or NULL: where the kernel notes the child's id, before the child runs and before any signal can end this process
} sm_fork_options;

typedef struct sm_fork_result {
    uint32_t size;
    int32_t pid;                       // of the child, in the parent; 0 in the child
    int32_t pidfd;                     // owned by the caller; -1 in the child and after a failure
    int32_t tries;
    uint64_t capture_ns;               // from the call to all threads parked at a good moment
    uint64_t fork_ns;                  // the clone system call, in the parent
    uint64_t child_ns;                 // in the child: from clone to all threads revived
    uint64_t parked_ns;                // how long the parent's threads stood still
    uint32_t threads, revived, frozen, owners;
    uint32_t searched;                 // 1: the child's memory was searched for owners of locks; 0: everybody was where nobody owns one
    int32_t quiet;                     // 1: no thread was busy, so nothing had to be repaired
    int32_t culprit;                   // after a failure: native id of the thread that made it fail, or 0
    int32_t culprit_kind;
    int32_t culprit_syscall;           // -1: not in a system call
    char culprit_name[16];
    char why[228];                     // one sentence
} sm_fork_result;

typedef struct sm_thread_info {
    int32_t tid;
    int32_t kind;
    int32_t managed_id;                // 0: no managed thread
    int32_t mode;                      // SM_MODE_*
    int32_t syscall;                   // the call it is in, -1 if none
    int32_t parked;                    // 1: blocked in a call that may be interrupted
    int32_t detail;                    // a futex operation, or a descriptor; -1 if not known
    uint32_t state;                    // the runtime's ThreadState bits
    char name[16];
} sm_thread_info;

// Learns once where this runtime keeps what must be repaired. 0, or -errno with one sentence in why (a refusal: nothing may be forked).
SM_API int32_t sm_fork_setup_engine(const sm_fork_setup *setup, char *why, int32_t why_size);

// Forks. Returns twice: 0 in the child, the child's pid in the parent; -errno or SM_FORK_LOOK_FIRST if there is no child and the parent is as before.
// Call it from any thread, in preemptive mode. Wait for the child with __WALL: it has no exit signal.
SM_API int32_t sm_fork(const sm_fork_options *options, sm_fork_result *result);

// Parks every thread, as a fork with SM_FORK_HOLD and SM_FORK_REVIVE_ALL leaves them, if each waits where it has been seen waiting before. 1: held; 0: not, or -errno (-EBUSY: somebody was at work).
SM_API int32_t sm_fork_hold(void);
// Lets go the threads that a fork with SM_FORK_HOLD or sm_fork_hold has left parked. 0.
SM_API int32_t sm_fork_let_go(void);
// While threads are held: waits until the descriptor is readable: 1. When the runtime has a signal to handle they are let go, or when nothing has come for that long and one of them has something
// to look after: timers, sockets, files, handles, whatever an application's thread does: 0. 2: none has, and nothing has come for
// idle_ms (-1: never told); they stay held. A worker of the pool that waits within a task cannot be told from an idle one here: do not hold such threads.
SM_API int32_t sm_fork_hold_until(int32_t descriptor, int32_t patience_ms, int32_t idle_ms);

// Parks every thread for a moment and puts the runtime's code memory on huge pages, in one mapping: for who forks again and again, without W^X. Once that is done, only what
// has come off huge pages since goes back there, and nobody is parked; -EAGAIN: not all of it could, try again soon. Returns the bytes on huge pages, or -errno.
SM_API int64_t sm_fork_consolidate(void);

// Parks every thread for a moment and tells what each is doing. Returns their number (at most capacity are written).
SM_API int32_t sm_fork_inspect(const sm_fork_options *options, sm_thread_info *threads, int32_t capacity);

// 1 in a child of a fork(2) that this library did not make: no managed thread but the caller lives there.
SM_API int32_t sm_fork_is_foreign_child(void);

// Whether SM_FORK_OWN_DATA has done any good and no harm to this process. 1: it has private data, and nothing was written where that was; 0: it has none; -EPROTO: something was.
SM_API int32_t sm_fork_check_code_data(void);

// gettid(2) of the calling thread.
SM_API int32_t sm_fork_gettid(void);

// A number for the calls that the calling thread is in: the same for the same calls. 0: not known.
SM_API uint64_t sm_fork_place(void);

// Learns which thread-static field of managed code it is that holds, on the calling thread, the object to which *reference refers. 0, or -ENOTSUP: it was not
// found once. And sets that field to null on every other thread that a fork has brought along, in the child; returns on how many it was not null. Both in
// cooperative mode (SuppressGCTransition).
SM_API int32_t sm_fork_learn_thread_static(void *const *reference);
SM_API int32_t sm_fork_clear_thread_static(void);

// ── circumstances of a fork server's child (circumstances.c, Native.Circumstances.cs) ─────────────────────────────────────────────────
#define SM_LIMITS 16
#define SM_MASK_UNKNOWN 0xffffffffu
#define SM_BECOME_DIRECTORY 1u
#define SM_BECOME_STANDARD 2u
#define SM_BECOME_LIMITS 3u

typedef struct { uint64_t soft, hard; } sm_limit;

typedef struct {
    uint32_t size;
    uint32_t mask;                    // umask; SM_MASK_UNKNOWN: /proc is not mounted, leave it
    int32_t directory;                // an O_PATH descriptor; -1: leave it
    int32_t standard[3];              // what becomes descriptors 0, 1, 2; -1: leave it
    sm_limit limits[SM_LIMITS];       // by RLIMIT_ number
} sm_circumstances;

// Mask and limits of this process, and a close-on-exec descriptor (the caller's) of the directory, or of the working directory where it is null.
SM_API int32_t sm_circumstances_take(const char *directory, sm_circumstances *taken);
// 1 where this process still has all of that, and where those of its descriptors 0, 1, 2 that have a counterpart in standard[] are still that open file; else, and where
// it cannot be told, 0.
SM_API int32_t sm_circumstances_hold(const sm_circumstances *taken);
// Gives them to this process; the descriptors stay the caller's. step: SM_BECOME_* that failed.
SM_API int32_t sm_circumstances_become(const sm_circumstances *wanted, uint32_t *step);
// Gives memory that was freed back to the system, where the C library can: malloc_trim(3).
SM_API void sm_memory_trim(void);
// Children of a fork do not have this memory: MADV_DONTFORK.
SM_API int32_t sm_memory_keep_from_children(void *address, uint64_t size);
// Puts what is used of the heap on huge pages of 2 MB: MADV_COLLAPSE, Linux 6.1. Returns their bytes; -ENOTSUP: there are none here.
SM_API int64_t sm_memory_collapse(void);
// Makes "A=1\0B=2\0" the whole environment that the C library knows. Not thread-safe: only before others run.
SM_API int32_t sm_environment_replace(const char *block, uint64_t length);

// ── pty (pty.c, Native.Pty.cs) ───────────────────────────────────────────────────────────────────────────────────────────────────────
// Opens a pseudo-terminal: its controlling side and its terminal side, both close-on-exec, owned by the caller. posix_openpt(3).
SM_API int32_t sm_pty_open_pair(int32_t *controlling, int32_t *terminal);
// In a process that was just forked: a session of its own, with this as its controlling terminal and its three standard descriptors; closes
// terminal. login_tty(3).
SM_API int32_t sm_pty_become_terminal(int32_t terminal);

#endif

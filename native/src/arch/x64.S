// x86-64: a parked thread's registers, and a thread that goes on with them on its old stack.
    .text

// int sm__context_save(sm_context *context): 0 now, 1 when sm__clone_thread brings the thread back.
    .hidden sm__context_save
    .globl  sm__context_save
    .type   sm__context_save, @function
sm__context_save:
    mov %rbx, 0(%rdi)
    mov %rbp, 8(%rdi)
    mov %r12, 16(%rdi)
    mov %r13, 24(%rdi)
    mov %r14, 32(%rdi)
    mov %r15, 40(%rdi)
    lea 8(%rsp), %rax
    mov %rax, 48(%rdi)
    mov (%rsp), %rax
    mov %rax, 56(%rdi)
    xor %eax, %eax
    ret
    .size   sm__context_save, .-sm__context_save

// long sm__clone_thread(flags, parent_tid, child_tid, tls, context): the new thread's id in the caller. The new thread never sees this
// frame: the kernel starts it on its old stack pointer, and it jumps to where it was saved.
    .hidden sm__clone_thread
    .globl  sm__clone_thread
    .type   sm__clone_thread, @function
sm__clone_thread:
    mov %rdx, %r10            // clone(flags, stack, parent_tid, child_tid, tls)
    mov %rsi, %rdx
    mov %r8, %r9              // context: survives the call in r9 (only rcx, r11 and rax are clobbered)
    mov %rcx, %r8
    mov 48(%r9), %rsi
    mov $56, %eax
    syscall
    test %rax, %rax
    jz 1f
    ret
1:  mov 0(%r9), %rbx
    mov 8(%r9), %rbp
    mov 16(%r9), %r12
    mov 24(%r9), %r13
    mov 32(%r9), %r14
    mov 40(%r9), %r15
    mov 48(%r9), %rsp
    mov $1, %eax
    jmp *56(%r9)
    .size   sm__clone_thread, .-sm__clone_thread

    .section .note.GNU-stack, "", @progbits

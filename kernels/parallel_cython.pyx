# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""What `parallel` needs of the processor: waiting awake for another thread, products by BLAS.

A thread that sleeps takes 50 to 300 us to wake up, which is as long as many kernels run. So a thread
that expects work, or the end of it, first watches a flag for a while without the interpreter's lock.
"""

import numpy as np

cdef extern from "simd/denormals.h" nogil:
    unsigned flush_denormals(int)
    void keep_denormals(unsigned)

cdef extern from *:
    """
    #ifdef _WIN32
    #include <windows.h>
    #define YIELD() SwitchToThread()
    static long long nanoseconds(void) {
        LARGE_INTEGER now, second;
        QueryPerformanceCounter(&now);
        QueryPerformanceFrequency(&second);
        return (long long)(now.QuadPart * (1e9 / second.QuadPart));
    }
    #else
    #include <sched.h>
    #include <time.h>
    #define YIELD() sched_yield()
    static long long nanoseconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1000000000LL + now.tv_nsec;
    }
    #endif

    #ifdef _MSC_VER
    #include <intrin.h>
    typedef volatile char atomic_flag_char;
    #define READ_FLAG(flag) _InterlockedOr8(flag, 0)
    #define WRITE_FLAG(flag, value) _InterlockedExchange8(flag, value)
    #define PAUSE() YieldProcessor()
    #else
    typedef char atomic_flag_char;
    #define READ_FLAG(flag) __atomic_load_n(flag, __ATOMIC_ACQUIRE)
    #define WRITE_FLAG(flag, value) __atomic_store_n(flag, value, __ATOMIC_RELEASE)
    #if defined(__x86_64__) || defined(__i386__)
    #define PAUSE() __builtin_ia32_pause()
    #elif defined(__aarch64__)
    #define PAUSE() __asm__ volatile("isb")
    #else
    #define PAUSE() ((void)0)
    #endif
    #endif

    /* Between two looks at the clock, in which others who wait for this core may have it. */
    enum { PAUSES = 32 };

    static int watch(atomic_flag_char *flag, double seconds) {
        long long end = nanoseconds() + (long long)(seconds * 1e9);
        for (;;) {
            for (int i = 0; i < PAUSES; i++) {
                if (READ_FLAG(flag)) return 1;
                PAUSE();
            }
            if (nanoseconds() >= end) return 0;
            YIELD();
        }
    }

    /* Whoever asks for the interpreter's lock while another has it falls asleep; who set a flag
       has it for another few microseconds, until its own kernel begins. */
    static void let_lock_go(void) {
    #if PY_VERSION_HEX < 0x030C0000
        for (int i = 0; i < 20 * PAUSES && _PyThreadState_UncheckedGet() != NULL; i++) PAUSE();
    #else  /* no thread can see whether another has it */
        for (long long end = nanoseconds() + 5000; nanoseconds() < end;) PAUSE();
    #endif
    }
    """
    ctypedef char atomic_flag_char
    int READ_FLAG(atomic_flag_char*) nogil
    void WRITE_FLAG(atomic_flag_char*, int) nogil
    int watch(atomic_flag_char*, double) nogil
    void let_lock_go() nogil


cdef class Flag:
    """A sign from one thread to another, which may be watched for without sleeping."""

    cdef atomic_flag_char up

    def set(self):
        """Raise the flag."""
        WRITE_FLAG(&self.up, 1)

    def clear(self):
        """Take the flag down."""
        WRITE_FLAG(&self.up, 0)

    def watch(self, double seconds, Flag first=None):
        """Return whether the flag is set within `seconds`, having set `first` without the lock."""
        cdef bint seen
        with nogil:
            if first is not None:
                WRITE_FLAG(&first.up, 1)
            seen = watch(&self.up, seconds)
            if seen:
                let_lock_go()
        return seen


def matmul(a, b, out=None):
    """np.matmul; of floating-point numbers, denormal ones are taken for 0."""
    cdef unsigned before = flush_denormals(a.dtype.kind == "f" == b.dtype.kind)
    try:
        return np.matmul(a, b, out)
    finally:
        keep_denormals(before)

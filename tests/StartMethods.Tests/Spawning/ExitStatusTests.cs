using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods.Tests.Spawning;

public class ExitStatusTests
{
    [Test]
    public void An_exit_code_reads_as_one()
    {
        ExitStatus status = ExitStatus.FromCode(3);
        Assert.That((status.Code, status.Signal, status.SignalNumber, status.Success, status.ToString()), Is.EqualTo(((int?)3, (PosixSignal?)null, (int?)null, false, "exit 3")));
        Assert.That(ExitStatus.FromCode(0).Success, Is.True);
    }

    [TestCase(11, true, "killed by SIGSEGV (core dumped)")]
    [TestCase(9, false, "killed by SIGKILL")]
    [TestCase(15, false, "killed by SIGTERM")]
    [TestCase(34, false, "killed by SIGRTMIN")]
    [TestCase(40, false, "killed by SIGRTMIN+6")]
    [Platform("Linux")]
    public void A_signal_is_named(int signal, bool dumped, string text)
    {
        ExitStatus status = ExitStatus.FromSignal(signal, dumped);
        Assert.That(status.ToString(), Is.EqualTo(text));
        Assert.That((status.Code, status.SignalNumber, status.CoreDumped, status.Success), Is.EqualTo(((int?)null, (int?)signal, dumped, false)));
    }

    [Test]
    [Platform("Linux")]
    public void A_signal_outside_of_PosixSignal_keeps_its_raw_number()
    {
        Assert.That(ExitStatus.FromSignal(15).Signal, Is.EqualTo(PosixSignal.SIGTERM));
        Assert.That((int)ExitStatus.FromSignal(11).Signal!.Value, Is.EqualTo(11));
        Assert.That(ExitStatus.FromSignal(11).SignalName, Is.EqualTo("SIGSEGV"));
    }

    [Test]
    public void A_lost_status_is_never_a_success()
    {
        ExitStatus status = default;
        Assert.That((status.IsKnown, status.Success, status.Code, status.Signal, status.ToString()), Is.EqualTo((false, false, (int?)null, (PosixSignal?)null, "status unknown")));
        Assert.That(status, Is.EqualTo(ExitStatus.Unknown));
        Assert.That(status, Is.Not.EqualTo(ExitStatus.FromCode(0)));
    }

    [Test]
    public void A_number_that_is_no_signal_is_refused() =>
        Assert.Multiple(() =>
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => ExitStatus.FromSignal(0));
            Assert.Throws<ArgumentOutOfRangeException>(() => ExitStatus.FromSignal(65));
            Assert.Throws<ArgumentOutOfRangeException>(() => SignalNumber.Of((PosixSignal)0));
            Assert.Throws<ArgumentOutOfRangeException>(() => SignalNumber.Of((PosixSignal)(-99)));
        });

    [Test]
    [Platform("Linux")]
    [System.Runtime.Versioning.SupportedOSPlatform("linux")]
    public void Each_named_signal_has_the_number_of_the_system()
    {
        Assert.That(SignalNumber.Of(PosixSignal.SIGHUP), Is.EqualTo(1));
        Assert.That(SignalNumber.Of(PosixSignal.SIGTERM), Is.EqualTo(15));
        Assert.That(SignalNumber.Of(PosixSignal.SIGWINCH), Is.EqualTo(28));
        Assert.That(SignalNumber.Of((PosixSignal)9), Is.EqualTo(9));
    }

    [Test]
    public void The_structures_have_the_sizes_that_the_C_side_asserts()
    {
        Assert.That(Unsafe.SizeOf<ExitInfo>(), Is.EqualTo(72));
        Assert.That((int)Marshal.OffsetOf<ExitInfo>(nameof(ExitInfo.UserMicroseconds)), Is.EqualTo(16));
        Assert.That(Unsafe.SizeOf<ReactorEvent>(), Is.EqualTo(16));
        Assert.That((Unsafe.SizeOf<SpawnOptions>(), Unsafe.SizeOf<SpawnResult>(), Unsafe.SizeOf<SpawnDescriptor>(), Unsafe.SizeOf<SpawnLimit>()), Is.EqualTo((136, 20, 8, 24)));
        SpawnOptions options = default;
        long OffsetOf(ref byte field) => Unsafe.ByteOffset(ref Unsafe.As<SpawnOptions, byte>(ref options), ref field);
        Assert.That(OffsetOf(ref Unsafe.As<uint, byte>(ref options.DescriptorCount)), Is.EqualTo(80));
        Assert.That(OffsetOf(ref Unsafe.As<ulong, byte>(ref options.DefaultSignals)), Is.EqualTo(96));
        Assert.That(OffsetOf(ref Unsafe.As<uint, byte>(ref options.User)), Is.EqualTo(132));
    }
}

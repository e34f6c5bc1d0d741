using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods.Tests;

public class ChannelLayoutTests
{
    [Test]
    public void The_message_has_the_layout_that_channel_c_asserts() => Assert.Multiple(() =>
    {
        Assert.That(Unsafe.SizeOf<ChannelMessage>(), Is.EqualTo(64));
        Assert.That((int)Marshal.OffsetOf<ChannelMessage>(nameof(ChannelMessage.SecondLength)), Is.EqualTo(32));
        Assert.That((int)Marshal.OffsetOf<ChannelMessage>(nameof(ChannelMessage.Descriptors)), Is.EqualTo(40));
        Assert.That((int)Marshal.OffsetOf<ChannelMessage>(nameof(ChannelMessage.Flags)), Is.EqualTo(56));
    });
}

// The smallest .NET program: what it costs to start a .NET process at all.
Console.WriteLine("hello");

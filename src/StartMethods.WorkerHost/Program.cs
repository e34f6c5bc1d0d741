using StartMethods.Bootstrap;

// Runs in the place of a program whose Main is not meant to run in a child, with that program's own files: see Bootstrap/Relaunch.cs.
ChildEntry.Run();
Console.Error.WriteLine("StartMethods.WorkerHost is started by the library StartMethods for its children; it does nothing by itself.");
return 64; // EX_USAGE

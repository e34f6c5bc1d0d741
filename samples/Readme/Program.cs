// The snippets of README.md, run one after the other. A test checks that README.md shows exactly this code.
using System.Diagnostics;
using StartMethods;

await Snippets.RunAsync();
await Snippets.HoldOnAsync();
await Snippets.ErrorsAsync();
await Snippets.MethodsAsync();
await Snippets.PoolAsync();
await Snippets.ProgramsAsync();

using System.Buffers.Binary;

namespace StartMethods.Payloads;

/// <summary>What an instruction refers to.</summary>
internal enum IlOperand { None, FieldRead, FieldWrite, Method, Any }

/// <summary>Walks the instructions of a method body, ECMA-335 III, and stops at those that name a field or a method.</summary>
internal ref struct IlReader(ReadOnlySpan<byte> code)
{
    private readonly ReadOnlySpan<byte> _code = code;
    private int _position = 0;

    internal IlOperand Operand { get; private set; }

    internal int Token { get; private set; }

    internal bool Next()
    {
        while (_position < _code.Length)
        {
            int opcode = _code[_position++];
            if (opcode == 0xFE)
                opcode = 0xFE00 | _code[_position++];
            int size = opcode == 0x45 ? 4 + 4 * BinaryPrimitives.ReadInt32LittleEndian(_code[_position..]) : OperandSize(opcode);
            Operand = OperandOf(opcode);
            if (Operand != IlOperand.None)
                Token = BinaryPrimitives.ReadInt32LittleEndian(_code[_position..]);
            _position += size;
            if (Operand != IlOperand.None)
                return true;
        }
        return false;
    }

    private static IlOperand OperandOf(int opcode) => opcode switch
    {
        0x7B or 0x7C => IlOperand.FieldRead,                                        // ldfld, ldflda
        0x7D => IlOperand.FieldWrite,                                               // stfld
        0x27 or 0x28 or 0x6F or 0x73 or 0xFE06 or 0xFE07 => IlOperand.Method,       // jmp, call, callvirt, newobj, ldftn, ldvirtftn
        0xD0 => IlOperand.Any,                                                      // ldtoken
        _ => IlOperand.None,
    };

    private static int OperandSize(int opcode) => opcode switch
    {
        >= 0x0E and <= 0x13 or 0x1F or >= 0x2B and <= 0x37 or 0xDE or 0xFE12 or 0xFE19 => 1,   // short variables, ldc.i4.s, short branches, leave.s, unaligned., no.
        >= 0xFE09 and <= 0xFE0E => 2,                                                          // variables
        0x21 or 0x23 => 8,                                                                     // ldc.i8, ldc.r8
        0x20 or 0x22 or >= 0x27 and <= 0x29 or >= 0x38 and <= 0x44 or >= 0x6F and <= 0x75 or 0x79 or >= 0x7B and <= 0x81
            or 0x8C or 0x8D or 0x8F or >= 0xA3 and <= 0xA5 or 0xC2 or 0xC6 or 0xD0 or 0xDD
            or 0xFE06 or 0xFE07 or 0xFE15 or 0xFE16 or 0xFE1C => 4,                            // constants, tokens, branches
        _ => 0,
    };
}

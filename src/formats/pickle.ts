/*
 * A reader for Python pickles, protocols 1 to 5, that runs no code: a pickle is a program for a small stack machine, and
 * this machine has no instruction that reaches outside itself. What a class or function named by the pickle does here is
 * decided by a table (pickle-globals.ts); any other name stops the reading.
 *
 * Opcodes and their meaning: CPython, Lib/pickletools.py. Left out are the ones no supported file needs: protocol 0's text
 * strings and persistent ids, Python 2's old-style classes (INST, OBJ), the extension registry, out-of-band buffers.
 */
import { UserError } from '../base/errors.ts';
import { PickleCursor } from './pickle-cursor.ts';
import { Budget, PickledObject, PickleGlobal, PickleProblem } from './pickle-values.ts';

const containerCost = 64;
/** Far beyond any checkpoint, and below the sizes at which V8's own containers fail. */
const maxSteps = 20_000_000;
const maxStack = 5_000_000;
/** Python writes memo indices in order; version 2 began at 1. */
const maxMemoGap = 8;

export interface UnpickleOptions {
  /** How messages call the file. */
  readonly name: string;
  /** Where the pickle begins. */
  readonly start?: number;
  /** The class or function of this name (`module.name`), or an error to throw. */
  findGlobal(path: string): PickleGlobal | UserError;
  /** The object for a persistent id; may throw `PickleProblem`. */
  persistentLoad?(id: unknown): unknown;
}

/**
 * Read one pickle. Dicts become `Map`s, lists and tuples arrays (tuples frozen), sets `Set`s, bytes `Uint8Array` views,
 * None null, integers beyond 2^53 bigints. Parts may be shared, and may contain themselves: walk the result with care.
 * Time and memory are linear in the number of bytes.
 *
 * @returns the value, and where the pickle ended
 * @throws UserError naming the file, the place and the reason
 */
export function unpickle(bytes: Uint8Array, options: UnpickleOptions): { value: unknown; end: number } {
  const machine = new Machine(bytes, options);
  try {
    return { value: machine.run(), end: machine.in.at };
  } catch (error) {
    if (!(error instanceof PickleProblem)) throw error;
    throw new UserError(
      `${options.name} holds a pickle that cannot be read: ${error.message} (at byte ${machine.opAt})`,
      {
        hint: 'the file is damaged or was not written by torch.save; download it again',
        cause: error,
      },
    );
  }
}

class Machine {
  /** Where the current instruction began. */
  opAt = 0;
  readonly in: PickleCursor;
  private readonly options: UnpickleOptions;
  private readonly budget: Budget;
  private readonly stack: unknown[] = [];
  private readonly marks: number[] = [];
  /** Where the innermost mark lies: nothing below it can be popped. */
  private floor = 0;
  private readonly memo: unknown[] = [];

  constructor(bytes: Uint8Array, options: UnpickleOptions) {
    this.options = options;
    this.in = new PickleCursor(bytes, options.start ?? 0);
    this.budget = new Budget(this.in.size - this.in.at);
  }

  run(): unknown {
    for (let steps = 0; ; steps++) {
      if (steps === maxSteps) throw new PickleProblem(`it has more than ${maxSteps} instructions`);
      this.opAt = this.in.at;
      const op = this.in.u8();
      if (op === 0x2e) break; // STOP
      if (!this.pushPlain(op) && !this.container(op) && !this.memoOp(op) && !this.object(op)) {
        throw new PickleProblem(`instruction 0x${op.toString(16).padStart(2, '0')} is unknown or not supported`);
      }
      if (this.stack.length > maxStack) throw new PickleProblem(`its stack grows beyond ${maxStack} items`);
    }
    if (this.stack.length !== 1 || this.marks.length > 0) throw new PickleProblem('it ends with an unfinished value');
    return this.stack[0];
  }

  private push(value: unknown): true {
    this.stack.push(value);
    return true;
  }

  private pop(): unknown {
    if (this.stack.length <= this.floor) throw new PickleProblem('it takes a value where there is none');
    return this.stack.pop();
  }

  private top(): unknown {
    if (this.stack.length <= this.floor) throw new PickleProblem('it uses a value where there is none');
    return this.stack.at(-1);
  }

  private popMark(): unknown[] {
    const mark = this.marks.pop();
    if (mark === undefined) throw new PickleProblem('it closes a group that was never opened');
    this.floor = this.marks.at(-1) ?? 0;
    return this.stack.splice(mark);
  }

  /** Numbers, strings, bytes and constants. */
  private pushPlain(op: number): boolean {
    switch (op) {
      case 0x80: {
        // PROTO
        const protocol = this.in.u8();
        if (protocol > 5) throw new PickleProblem(`protocol ${protocol} is unknown`);
        return true;
      }
      case 0x95: {
        // FRAME: only says how much follows
        const size = this.in.u64();
        if (size > this.in.size - this.in.at) throw new PickleProblem('it is cut short');
        return true;
      }
      case 0x4e: // NONE
        return this.push(null);
      case 0x88: // NEWTRUE
        return this.push(true);
      case 0x89: // NEWFALSE
        return this.push(false);
      case 0x4a: // BININT
        return this.push(this.in.i32());
      case 0x4b: // BININT1
        return this.push(this.in.u8());
      case 0x4d: // BININT2
        return this.push(this.in.u16());
      case 0x47: // BINFLOAT
        return this.push(this.in.f64());
      case 0x8a: // LONG1
        return this.push(this.in.long(this.in.u8()));
      case 0x8b: // LONG4
        return this.push(this.in.long(this.in.i32()));
      case 0x49: // INT
        return this.push(this.in.intLine());
      case 0x4c: // LONG
        return this.push(this.in.longLine());
      case 0x58: // BINUNICODE
        return this.push(this.in.text(this.in.u32()));
      case 0x8c: // SHORT_BINUNICODE
        return this.push(this.in.text(this.in.u8()));
      case 0x8d: // BINUNICODE8
        return this.push(this.in.text(this.in.u64()));
      case 0x54: // BINSTRING
        return this.build(this.in.oldString(this.in.u32()));
      case 0x55: // SHORT_BINSTRING
        return this.build(this.in.oldString(this.in.u8()));
      case 0x42: // BINBYTES
        return this.build(this.in.slice(this.in.u32()));
      case 0x43: // SHORT_BINBYTES
        return this.build(this.in.slice(this.in.u8()));
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.build(this.in.slice(this.in.u64()));
      default:
        return false;
    }
  }

  /** Lists, tuples, dicts, sets, and the stack's own bookkeeping. */
  private container(op: number): boolean {
    switch (op) {
      case 0x28: // MARK
        this.floor = this.stack.length;
        this.marks.push(this.floor);
        if (this.marks.length > maxStack) throw new PickleProblem(`its groups nest deeper than ${maxStack}`);
        return true;
      case 0x30: // POP
        if (this.stack.length > this.floor) this.stack.pop();
        else this.popMark();
        return true;
      case 0x31: // POP_MARK
        this.popMark();
        return true;
      case 0x32: // DUP
        return this.push(this.top());
      case 0x5d: // EMPTY_LIST
        return this.build([]);
      case 0x29: // EMPTY_TUPLE
        return this.push(emptyTuple);
      case 0x7d: // EMPTY_DICT
        return this.build(new Map());
      case 0x8f: // EMPTY_SET
        return this.build(new Set());
      case 0x74: // TUPLE
        return this.build(Object.freeze(this.popMark()));
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: {
        // TUPLE3
        const count = op - 0x84;
        if (this.stack.length - this.floor < count) throw new PickleProblem('it takes a value where there is none');
        return this.build(Object.freeze(this.stack.splice(-count)));
      }
      case 0x6c: // LIST
        return this.build(this.popMark());
      case 0x64: {
        // DICT
        const items = this.popMark();
        this.build(new Map());
        return this.setItems(items);
      }
      case 0x61: {
        // APPEND
        const value = this.pop();
        return this.append([value]);
      }
      case 0x65: // APPENDS
        return this.append(this.popMark());
      case 0x73: {
        // SETITEM
        const value = this.pop();
        return this.setItems([this.pop(), value]);
      }
      case 0x75: // SETITEMS
        return this.setItems(this.popMark());
      case 0x90: {
        // ADDITEMS
        const items = this.popMark();
        const set = this.top();
        if (!(set instanceof Set)) throw new PickleProblem('it adds items to something that is not a set');
        for (const item of items) set.add(this.budget.key(item));
        return true;
      }
      case 0x91: {
        // FROZENSET
        const items = this.popMark();
        return this.build(new Set(items.map((item) => this.budget.key(item))));
      }
      default:
        return false;
    }
  }

  private build(value: unknown): true {
    this.budget.spend(containerCost);
    return this.push(value);
  }

  private append(items: unknown[]): true {
    const list = this.top();
    if (!Array.isArray(list) || Object.isFrozen(list))
      throw new PickleProblem('it appends to something that is not a list');
    for (const item of items) list.push(item);
    return true;
  }

  private setItems(items: unknown[]): true {
    const dict = this.top();
    if (!(dict instanceof Map)) throw new PickleProblem('it sets items of something that is not a dict');
    if (items.length % 2 !== 0) throw new PickleProblem('a dict has a key without a value');
    for (let i = 0; i < items.length; i += 2) dict.set(this.budget.key(items[i]), items[i + 1]);
    return true;
  }

  private memoOp(op: number): boolean {
    switch (op) {
      case 0x71: // BINPUT
        return this.put(this.in.u8());
      case 0x72: // LONG_BINPUT
        return this.put(this.in.u32());
      case 0x70: // PUT
        return this.put(Number(this.in.intLine()));
      case 0x94: // MEMOIZE
        return this.put(this.memo.length);
      case 0x68: // BINGET
        return this.get(this.in.u8());
      case 0x6a: // LONG_BINGET
        return this.get(this.in.u32());
      case 0x67: // GET
        return this.get(Number(this.in.intLine()));
      default:
        return false;
    }
  }

  private put(index: number): true {
    const { memo } = this;
    if (!(index >= 0 && index <= memo.length + maxMemoGap))
      throw new PickleProblem(`memo index ${index} is out of order`);
    while (memo.length < index) memo.push(unset);
    memo[index] = this.top();
    return true;
  }

  private get(index: number): true {
    const value = index >= 0 && index < this.memo.length ? this.memo[index] : unset;
    if (value === unset) throw new PickleProblem(`it refers to memo ${index}, which was never set`);
    return this.push(value);
  }

  /** Globals and what is made of them. */
  private object(op: number): boolean {
    switch (op) {
      case 0x63: // GLOBAL
        return this.global(this.in.line(), this.in.line());
      case 0x93: {
        // STACK_GLOBAL
        const name = this.pop();
        const module = this.pop();
        if (typeof name !== 'string' || typeof module !== 'string')
          throw new PickleProblem('a class is named by something other than strings');
        return this.global(module, name);
      }
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const args = this.pop();
        return this.call(this.pop(), args);
      }
      case 0x92: {
        // NEWOBJ_EX
        const named = this.pop();
        if (!(named instanceof Map) || named.size > 0)
          throw new PickleProblem('it makes an object with named arguments');
        const args = this.pop();
        return this.call(this.pop(), args);
      }
      case 0x62: {
        // BUILD
        const state = this.pop();
        const object = this.top();
        if (object instanceof PickledObject) {
          if (state instanceof Map) this.budget.spend(32 * state.size);
          object.setState(state);
        } else if (!(object instanceof Map)) {
          throw new PickleProblem('it sets the state of something that has none');
        }
        // The attributes of an OrderedDict are dropped: PyTorch keeps `_metadata` there, which no weights depend on.
        return true;
      }
      case 0x51: {
        // BINPERSID
        const id = this.pop();
        if (!this.options.persistentLoad) throw new PickleProblem('it refers to an object outside itself');
        this.budget.spend(containerCost);
        return this.push(this.options.persistentLoad(id));
      }
      default:
        return false;
    }
  }

  private global(module: string, name: string): true {
    const found = this.options.findGlobal(`${module}.${name}`);
    if (found instanceof UserError) throw found;
    return this.push(found);
  }

  private call(callee: unknown, args: unknown): true {
    if (!(callee instanceof PickleGlobal))
      throw new PickleProblem('it calls something that is not a class or function');
    if (!callee.call) throw new PickleProblem(`it calls ${callee.path}, which is only allowed as a name`);
    if (!Array.isArray(args) || !Object.isFrozen(args))
      throw new PickleProblem(`it calls ${callee.path} without a tuple of arguments`);
    this.budget.spend(containerCost);
    return this.push(callee.call(args, this.budget));
  }
}

const unset = Symbol('unset');
const emptyTuple: readonly unknown[] = Object.freeze([]);

//! The module in an interpreter: compiled once, started as often as needed, with its imports bound to a [`Host`].

use std::path::PathBuf;

use wasmi::{
    Caller, CompilationMode, Config, Engine, Error, Extern, ExternType, Linker, Memory, Module, Store, Val, ValType,
};

use crate::host::{Given, Host};

/// Most fuel of one callback: some thousand times what a request takes. What needs more never ends.
const FUEL_MAX: u64 = 20_000_000_000;

/// The compiled module.
pub struct Code {
    module: Module,
    linker: Linker<Host>,
    compiler: String,
}

/// An instance of the module, as one worker has it.
pub struct Vm {
    store: Store<Host>,
    instance: wasmi::Instance,
    memory: Memory,
    fuel: u64,
}

impl Code {
    /// The filter of `HALLPASS_WASM`, or the one that `scripts/build` leaves.
    ///
    /// # Panics
    /// There is none, or it is none.
    pub fn load() -> Self {
        let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/hallpass.wasm"));
        let path = std::env::var_os("HALLPASS_WASM").map_or_else(default, PathBuf::from);
        let bytes = std::fs::read(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; build it first: scripts/build", path.display()));
        Self::compile(&bytes)
    }

    fn compile(bytes: &[u8]) -> Self {
        let mut config = Config::default();
        // Lazy translation would charge the first call of each function.
        config.consume_fuel(true).compilation_mode(CompilationMode::Eager);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, bytes).expect("the filter is a module");
        let mut linker = Linker::new(&engine);
        for import in module.imports() {
            let ExternType::Func(kind) = import.ty() else {
                panic!("an import that is no function: {import:?}");
            };
            let name = import.name().to_owned();
            let host = move |caller: Caller<'_, Host>, args: &[Val], results: &mut [Val]| {
                let args: Vec<u64> = args.iter().map(number).collect();
                let status = answer(caller, &name, &args)?;
                if let Some(result) = results.first_mut() {
                    *result = Val::I32(status.cast_signed());
                }
                Ok(())
            };
            linker.func_new(import.module(), import.name(), kind.clone(), host).expect("each import stands once");
        }
        Self { module, linker, compiler: compiler(bytes) }
    }

    /// The compiler that made the module, as it says itself.
    pub fn compiler(&self) -> &str {
        &self.compiler
    }

    /// Starts the module on this host.
    ///
    /// # Errors
    /// It traps.
    pub fn start(&self, host: Host) -> Result<Vm, String> {
        let mut store = Store::new(self.module.engine(), host);
        store.set_fuel(FUEL_MAX).expect("fuel is counted");
        let instance = self.linker.instantiate_and_start(&mut store, &self.module).expect("all imports are there");
        let memory = instance.get_memory(&store, "memory").expect("the module exports its memory");
        let mut vm = Vm { store, instance, memory, fuel: 0 };
        vm.call("_initialize", &[])?;
        Ok(vm)
    }
}

impl Vm {
    /// Calls an export; 0 where it returns nothing.
    ///
    /// # Errors
    /// What the VM says of a trap, and what the module had to say.
    pub fn call(&mut self, name: &str, args: &[u32]) -> Result<u32, String> {
        let function = self.instance.get_func(&self.store, name);
        let function = function.unwrap_or_else(|| panic!("the module does not export {name}"));
        let args: Vec<Val> = args.iter().map(|arg| Val::I32(arg.cast_signed())).collect();
        let returns = function.ty(&self.store).results().len();
        let mut results = vec![Val::default_for_ty(ValType::I32); returns];
        self.store.set_fuel(FUEL_MAX).expect("fuel is counted");
        let ended = function.call(&mut self.store, &args, &mut results);
        self.fuel += FUEL_MAX - self.store.get_fuel().expect("fuel is counted");
        let said = std::mem::take(&mut self.store.data_mut().stderr);
        match ended {
            Ok(()) => Ok(results.first().map_or(0, |result| u32::try_from(number(result)).unwrap_or(u32::MAX))),
            Err(error) => Err(format!("{name}{args:?} trapped: {error}: {}", said.trim())),
        }
    }

    /// Whether the module exports this function.
    pub fn exports(&self, name: &str) -> bool {
        self.instance.get_func(&self.store, name).is_some()
    }

    /// The fuel used since this was asked last.
    pub fn take_fuel(&mut self) -> u64 {
        std::mem::take(&mut self.fuel)
    }

    /// Bytes of the instance's memory.
    pub fn memory_bytes(&self) -> usize {
        self.memory.data_size(&self.store)
    }

    /// The host.
    pub fn host(&self) -> &Host {
        self.store.data()
    }

    /// The host.
    pub fn host_mut(&mut self) -> &mut Host {
        self.store.data_mut()
    }
}

/// Has the host carry out an import, and hands over what it gives.
fn answer(mut caller: Caller<'_, Host>, name: &str, args: &[u64]) -> Result<u32, Error> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    let memory = memory.ok_or_else(|| Error::new("the module exports no memory"))?;
    let (bytes, host) = memory.data_and_store_mut(&mut caller);
    let effect = host.import(name, args, bytes);
    if let Some(code) = effect.exit {
        return Err(Error::new(format!("the module exits with {code}")));
    }
    for (at, bytes) in effect.writes {
        memory.write(&mut caller, at, &bytes)?;
    }
    if let Some(Given { bytes, len, data_at, len_at }) = effect.gives {
        let at = match bytes {
            Some(bytes) => {
                let at = allocate(&mut caller, bytes.len())?;
                memory.write(&mut caller, usize::try_from(at).unwrap_or(0), &bytes)?;
                at
            }
            None => 0,
        };
        memory.write(&mut caller, data_at, &at.to_le_bytes())?;
        memory.write(&mut caller, len_at, &len.to_le_bytes())?;
    }
    Ok(effect.status)
}

fn allocate(caller: &mut Caller<'_, Host>, len: usize) -> Result<u32, Error> {
    let function = caller.get_export("proxy_on_memory_allocate").and_then(Extern::into_func);
    let function = function.ok_or_else(|| Error::new("the module allocates nothing"))?;
    let mut results = [Val::I32(0)];
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    function.call(&mut *caller, &[Val::I32(len.cast_signed())], &mut results)?;
    Ok(u32::try_from(number(&results[0])).unwrap_or(0))
}

/// A number as the host reads it, without a sign.
fn number(value: &Val) -> u64 {
    match value {
        Val::I32(number) => u64::from(number.cast_unsigned()),
        Val::I64(number) => number.cast_unsigned(),
        _ => 0,
    }
}

/// `rustc 1.95.0 (59807616e 2026-04-14)`, from the section in which compilers sign.
fn compiler(module: &[u8]) -> String {
    const SIGN: &[u8] = b"\x05rustc";
    let at = module.windows(SIGN.len()).rposition(|window| window == SIGN);
    let text = at.and_then(|at| {
        let (len, text) = module.get(at + SIGN.len()..)?.split_first()?;
        text.get(..usize::from(*len))
    });
    text.map_or_else(|| "unknown".to_owned(), |text| format!("rustc {}", String::from_utf8_lossy(text)))
}

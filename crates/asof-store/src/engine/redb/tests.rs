use asof_env::testing::SimDisk;

use super::*;

#[test]
fn a_panic_of_redb_is_corrupt_and_the_end_of_the_engine_but_not_of_the_file() {
    let disk = Arc::new(SimDisk::new());
    let open = || RedbEngine::open(Arc::<SimDisk>::clone(&disk), RedbOptions::default());
    let engine = open().unwrap();
    let mut batch = Batch::default();
    batch.put(b"key".to_vec(), b"value".to_vec());
    engine.commit(&batch, Durability::Durable).unwrap();
    let snapshot = engine.snapshot().unwrap();

    let panicked = engine.core.run(|database| -> Result<(), redb::Error> {
        let _transaction = database.begin_write()?;
        panic!("as redb does on some damage")
    });
    let corrupt = EngineError::Corrupt("redb panicked".to_owned());
    assert_eq!(panicked, Err(corrupt.clone()));
    assert_eq!(
        engine.commit(&batch, Durability::Durable),
        Err(corrupt.clone())
    );
    assert_eq!(snapshot.get(b"key", &mut |_| ()), Err(corrupt.clone()));
    assert_eq!(engine.disk_bytes(), Err(corrupt));

    let operations = disk.operations();
    drop((engine, snapshot));
    assert_eq!(disk.operations(), operations, "it wrote after the panic");
    let again = open().unwrap().snapshot().unwrap();
    assert_eq!(again.get(b"key", &mut |_| ()), Ok(true));
}

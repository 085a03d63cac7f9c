// The cases of redis.test.ts with `redis_client = ioredis`: the same operations, the same results, the same errors.
process.env.QSTACK_TEST_REDIS_CLIENT = 'ioredis';
await import('./redis.test.js');

export {};

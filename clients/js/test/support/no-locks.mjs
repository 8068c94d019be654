// Newer versions of Node have the locks of a browser, by which one process of many clients would be one tab: the tests are about many.

Object.defineProperty(globalThis, 'navigator', { value: undefined, configurable: true });

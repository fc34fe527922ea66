// LQ_EXPORT: what a shared library shows. Everything else of it is hidden.
#ifndef LANEQUANT_EXPORT_H_
#define LANEQUANT_EXPORT_H_

#define LQ_EXPORT __attribute__((visibility("default")))

#endif  // LANEQUANT_EXPORT_H_

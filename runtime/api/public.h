/* SPDX-License-Identifier: MIT
 *
 * public - lunate.h as the library's own files read it: with the codes of
 * base/err.h in place of its copy of them.
 */
#ifndef PUBLIC_H
#define PUBLIC_H

#include "err.h"

#include "lunate.h"

#endif

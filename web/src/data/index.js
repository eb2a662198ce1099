// The source of the page's data: the document that contains them, or the server.

import { fileData } from './file.js'
import { serverData } from './server.js'

const inlined = document.getElementById('logagg-data')
export const data = inlined ? fileData(inlined) : serverData()
